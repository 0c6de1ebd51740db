// error: E0277
pub fn f() {
    // Readers share values, so they must be Sync.
    drop(conex::Map::<u8, std::cell::Cell<u8>>::new());
}
