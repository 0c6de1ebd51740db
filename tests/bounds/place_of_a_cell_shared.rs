// error: E0277
pub fn f(place: &conex::AtomicRef<std::cell::Cell<u8>>) -> impl Send + use<'_> {
    place
}
