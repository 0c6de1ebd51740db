// error: E0505
pub fn f(map: conex::Map<u8, u8>, guard: &conex::Guard) -> Option<u8> {
    let value = map.get_ref(&1, guard);
    drop(map);
    value.copied()
}
