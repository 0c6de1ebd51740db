// error: E0277
pub fn f(queue: conex::Queue<std::rc::Rc<u8>>) -> impl Send {
    queue
}
