// error: E0277
pub fn f(guard: conex::Guard) -> impl Send {
    guard
}
