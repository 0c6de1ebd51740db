// compiles
fn shared<T: Send + Sync>() {}

pub fn all() {
    shared::<conex::Stack<Box<u8>>>();
    shared::<conex::Queue<std::cell::Cell<u8>>>();
    shared::<conex::Map<String, std::sync::Arc<u8>>>();
    shared::<conex::Domain>();
}
