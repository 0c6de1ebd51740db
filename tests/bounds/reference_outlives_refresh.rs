// error: E0502
pub fn f(map: &conex::Map<u8, u8>, domain: &conex::Domain) -> Option<u8> {
    let mut guard = domain.enter();
    let value = map.get_ref(&1, &guard);
    guard.refresh();
    value.copied()
}
