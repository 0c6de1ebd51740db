// error: E0277
pub fn f(stack: &conex::Stack<std::rc::Rc<u8>>) -> impl Send + use<'_> {
    stack
}
