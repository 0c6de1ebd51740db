// error: E0505
pub fn f(map: &conex::Map<u8, u8>, domain: &conex::Domain) -> Option<u8> {
    let guard = domain.enter();
    let value = map.get_ref(&1, &guard);
    drop(guard);
    value.copied()
}
