// error: E0277
pub fn f(shared: conex::Ref<std::cell::Cell<u8>>) -> impl Send {
    shared
}
