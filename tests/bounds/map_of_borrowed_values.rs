// error: E0597
pub fn f() {
    let text = String::from("gone");
    let map = conex::Map::<u8, &'static str>::new();
    drop(map.insert(1, &text));
}
