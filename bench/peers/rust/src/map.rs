//! papaya, dashmap and scc, with the hasher their users pick for speed (foldhash, seeded).
//!
//! One module a peer and a kind of entry, made by the macros below. Keys arrive as (address, length); values by address.

use crate::Elem;
use foldhash::fast::RandomState;

/// How a key arrives over the C boundary, how it is looked up without a copy, and how it is stored.
trait Key: Eq + std::hash::Hash + Clone + Send + Sync + 'static {
    type Lookup: ?Sized + Eq + std::hash::Hash;
    unsafe fn lookup<'a>(data: *const u8, len: usize) -> &'a Self::Lookup;
    unsafe fn own(data: *const u8, len: usize) -> Self;
}

impl Key for u64 {
    type Lookup = u64;
    unsafe fn lookup<'a>(data: *const u8, _len: usize) -> &'a u64 {
        &*data.cast::<u64>()
    }
    unsafe fn own(data: *const u8, _len: usize) -> u64 {
        data.cast::<u64>().read()
    }
}

impl Key for Box<[u8]> {
    type Lookup = [u8];
    unsafe fn lookup<'a>(data: *const u8, len: usize) -> &'a [u8] {
        std::slice::from_raw_parts(data, len)
    }
    unsafe fn own(data: *const u8, len: usize) -> Box<[u8]> {
        std::slice::from_raw_parts(data, len).into()
    }
}

type Wide = Elem<64>;

macro_rules! papaya_map {
    ($key:ty, $value:ty, $mode:expr, $($name:ident)*) => { papaya_map!(@ $key, $value, $mode, $($name),*); };
    (@ $key:ty, $value:ty, $mode:expr, $new:ident, $free:ident, $enter:ident, $refresh:ident, $leave:ident, $get:ident,
     $insert:ident, $upsert:ident, $remove:ident, $each:ident) => {
        #[no_mangle]
        pub extern "C" fn $new(capacity: usize) -> *mut papaya::HashMap<$key, $value, RandomState> {
            Box::into_raw(Box::new(
                papaya::HashMap::builder().capacity(capacity).hasher(RandomState::default()).resize_mode($mode).build(),
            ))
        }
        #[no_mangle]
        pub unsafe extern "C" fn $free(m: *mut papaya::HashMap<$key, $value, RandomState>) {
            drop(Box::from_raw(m));
        }
        #[no_mangle]
        pub unsafe extern "C" fn $enter(
            m: *const papaya::HashMap<$key, $value, RandomState>,
        ) -> *mut papaya::LocalGuard<'static> {
            let map: &'static papaya::HashMap<$key, $value, RandomState> = &*m;
            Box::into_raw(Box::new(map.guard()))
        }
        #[no_mangle]
        pub unsafe extern "C" fn $refresh(g: *mut papaya::LocalGuard<'static>) {
            (*g).refresh();
        }
        #[no_mangle]
        pub unsafe extern "C" fn $leave(g: *mut papaya::LocalGuard<'static>) {
            drop(Box::from_raw(g));
        }
        #[no_mangle]
        pub unsafe extern "C" fn $get(
            m: *const papaya::HashMap<$key, $value, RandomState>,
            g: *const papaya::LocalGuard<'static>,
            key: *const u8,
            len: usize,
            value: *mut $value,
        ) -> bool {
            match (*m).get(<$key as Key>::lookup(key, len), &*g) {
                Some(v) => { value.write(*v); true }
                None => false,
            }
        }
        #[no_mangle]
        pub unsafe extern "C" fn $insert(
            m: *const papaya::HashMap<$key, $value, RandomState>,
            g: *const papaya::LocalGuard<'static>,
            key: *const u8,
            len: usize,
            value: *const $value,
        ) -> bool {
            (*m).try_insert(<$key as Key>::own(key, len), *value, &*g).is_ok()
        }
        #[no_mangle]
        pub unsafe extern "C" fn $upsert(
            m: *const papaya::HashMap<$key, $value, RandomState>,
            g: *const papaya::LocalGuard<'static>,
            key: *const u8,
            len: usize,
            value: *const $value,
        ) {
            (*m).insert(<$key as Key>::own(key, len), *value, &*g);
        }
        #[no_mangle]
        pub unsafe extern "C" fn $remove(
            m: *const papaya::HashMap<$key, $value, RandomState>,
            g: *const papaya::LocalGuard<'static>,
            key: *const u8,
            len: usize,
        ) -> bool {
            (*m).remove(<$key as Key>::lookup(key, len), &*g).is_some()
        }
        #[no_mangle]
        pub unsafe extern "C" fn $each(
            m: *const papaya::HashMap<$key, $value, RandomState>,
            visit: extern "C" fn(*const $value, *mut core::ffi::c_void),
            ctx: *mut core::ffi::c_void,
        ) {
            let map = &*m;
            let guard = map.guard();
            for (_, v) in map.iter(&guard) {
                visit(v, ctx);
            }
        }
    };
}

macro_rules! dash_map {
    ($key:ty, $value:ty, $new:ident $free:ident $get:ident $insert:ident $upsert:ident $remove:ident $each:ident) => {
        #[no_mangle]
        pub extern "C" fn $new(capacity: usize) -> *mut dashmap::DashMap<$key, $value, RandomState> {
            Box::into_raw(Box::new(dashmap::DashMap::with_capacity_and_hasher(capacity, RandomState::default())))
        }
        #[no_mangle]
        pub unsafe extern "C" fn $free(m: *mut dashmap::DashMap<$key, $value, RandomState>) {
            drop(Box::from_raw(m));
        }
        #[no_mangle]
        pub unsafe extern "C" fn $get(
            m: *const dashmap::DashMap<$key, $value, RandomState>, key: *const u8, len: usize, value: *mut $value,
        ) -> bool {
            match (*m).get(<$key as Key>::lookup(key, len)) {
                Some(v) => { value.write(*v); true }
                None => false,
            }
        }
        #[no_mangle]
        pub unsafe extern "C" fn $insert(
            m: *const dashmap::DashMap<$key, $value, RandomState>, key: *const u8, len: usize, value: *const $value,
        ) -> bool {
            match (*m).entry(<$key as Key>::own(key, len)) {
                dashmap::mapref::entry::Entry::Occupied(_) => false,
                dashmap::mapref::entry::Entry::Vacant(e) => { e.insert(*value); true }
            }
        }
        #[no_mangle]
        pub unsafe extern "C" fn $upsert(
            m: *const dashmap::DashMap<$key, $value, RandomState>, key: *const u8, len: usize, value: *const $value,
        ) {
            (*m).insert(<$key as Key>::own(key, len), *value);
        }
        #[no_mangle]
        pub unsafe extern "C" fn $remove(
            m: *const dashmap::DashMap<$key, $value, RandomState>, key: *const u8, len: usize,
        ) -> bool {
            (*m).remove(<$key as Key>::lookup(key, len)).is_some()
        }
        #[no_mangle]
        pub unsafe extern "C" fn $each(
            m: *const dashmap::DashMap<$key, $value, RandomState>,
            visit: extern "C" fn(*const $value, *mut core::ffi::c_void),
            ctx: *mut core::ffi::c_void,
        ) {
            for e in (*m).iter() {
                visit(e.value(), ctx);
            }
        }
    };
}

macro_rules! scc_map {
    ($key:ty, $value:ty, $new:ident $free:ident $get:ident $insert:ident $upsert:ident $remove:ident $each:ident) => {
        #[no_mangle]
        pub extern "C" fn $new(capacity: usize) -> *mut scc::HashMap<$key, $value, RandomState> {
            Box::into_raw(Box::new(scc::HashMap::with_capacity_and_hasher(capacity, RandomState::default())))
        }
        #[no_mangle]
        pub unsafe extern "C" fn $free(m: *mut scc::HashMap<$key, $value, RandomState>) {
            drop(Box::from_raw(m));
        }
        #[no_mangle]
        pub unsafe extern "C" fn $get(
            m: *const scc::HashMap<$key, $value, RandomState>, key: *const u8, len: usize, value: *mut $value,
        ) -> bool {
            (*m).read_sync(<$key as Key>::lookup(key, len), |_, v| value.write(*v)).is_some()
        }
        #[no_mangle]
        pub unsafe extern "C" fn $insert(
            m: *const scc::HashMap<$key, $value, RandomState>, key: *const u8, len: usize, value: *const $value,
        ) -> bool {
            (*m).insert_sync(<$key as Key>::own(key, len), *value).is_ok()
        }
        #[no_mangle]
        pub unsafe extern "C" fn $upsert(
            m: *const scc::HashMap<$key, $value, RandomState>, key: *const u8, len: usize, value: *const $value,
        ) {
            (*m).upsert_sync(<$key as Key>::own(key, len), *value);
        }
        #[no_mangle]
        pub unsafe extern "C" fn $remove(
            m: *const scc::HashMap<$key, $value, RandomState>, key: *const u8, len: usize,
        ) -> bool {
            (*m).remove_sync(<$key as Key>::lookup(key, len)).is_some()
        }
        #[no_mangle]
        pub unsafe extern "C" fn $each(
            m: *const scc::HashMap<$key, $value, RandomState>,
            visit: extern "C" fn(*const $value, *mut core::ffi::c_void),
            ctx: *mut core::ffi::c_void,
        ) {
            (*m).iter_sync(|_, v| { visit(v, ctx); true });
        }
    };
}

macro_rules! additions {
    ($papaya:ident $dash:ident $scc:ident) => {
        #[no_mangle]
        pub unsafe extern "C" fn $papaya(
            m: *const papaya::HashMap<u64, u64, RandomState>, g: *const papaya::LocalGuard<'static>, key: u64, delta: u64,
        ) {
            (*m).update_or_insert(key, |v| v.wrapping_add(delta), delta, &*g);
        }
        #[no_mangle]
        pub unsafe extern "C" fn $dash(m: *const dashmap::DashMap<u64, u64, RandomState>, key: u64, delta: u64) {
            let mut v = (*m).entry(key).or_insert(0);
            *v = v.wrapping_add(delta);
        }
        #[no_mangle]
        pub unsafe extern "C" fn $scc(m: *const scc::HashMap<u64, u64, RandomState>, key: u64, delta: u64) {
            (*m).entry_sync(key).and_modify(|v| *v = v.wrapping_add(delta)).or_insert(delta);
        }
    };
}

use papaya::Guard as _;

/// papaya's default: each writer moves a chunk of the table (64 entries is the default of the crate).
const STEPS: papaya::ResizeMode = papaya::ResizeMode::Incremental(64);
const WHOLE: papaya::ResizeMode = papaya::ResizeMode::Blocking;

papaya_map!(u64, u64, STEPS, rp_pap_w_new rp_pap_w_free rp_pap_w_enter rp_pap_w_refresh rp_pap_w_leave rp_pap_w_get rp_pap_w_insert rp_pap_w_upsert rp_pap_w_remove rp_pap_w_each);
papaya_map!(u64, u64, WHOLE, rp_pab_w_new rp_pab_w_free rp_pab_w_enter rp_pab_w_refresh rp_pab_w_leave rp_pab_w_get rp_pab_w_insert rp_pab_w_upsert rp_pab_w_remove rp_pab_w_each);
papaya_map!(Box<[u8]>, u64, STEPS, rp_pap_s_new rp_pap_s_free rp_pap_s_enter rp_pap_s_refresh rp_pap_s_leave rp_pap_s_get rp_pap_s_insert rp_pap_s_upsert rp_pap_s_remove rp_pap_s_each);
papaya_map!(u64, Wide, STEPS, rp_pap_v_new rp_pap_v_free rp_pap_v_enter rp_pap_v_refresh rp_pap_v_leave rp_pap_v_get rp_pap_v_insert rp_pap_v_upsert rp_pap_v_remove rp_pap_v_each);
dash_map!(u64, u64, rp_dash_w_new rp_dash_w_free rp_dash_w_get rp_dash_w_insert rp_dash_w_upsert rp_dash_w_remove rp_dash_w_each);
dash_map!(Box<[u8]>, u64, rp_dash_s_new rp_dash_s_free rp_dash_s_get rp_dash_s_insert rp_dash_s_upsert rp_dash_s_remove rp_dash_s_each);
dash_map!(u64, Wide, rp_dash_v_new rp_dash_v_free rp_dash_v_get rp_dash_v_insert rp_dash_v_upsert rp_dash_v_remove rp_dash_v_each);
scc_map!(u64, u64, rp_scc_w_new rp_scc_w_free rp_scc_w_get rp_scc_w_insert rp_scc_w_upsert rp_scc_w_remove rp_scc_w_each);
scc_map!(Box<[u8]>, u64, rp_scc_s_new rp_scc_s_free rp_scc_s_get rp_scc_s_insert rp_scc_s_upsert rp_scc_s_remove rp_scc_s_each);
scc_map!(u64, Wide, rp_scc_v_new rp_scc_v_free rp_scc_v_get rp_scc_v_insert rp_scc_v_upsert rp_scc_v_remove rp_scc_v_each);
additions!(rp_pap_w_add rp_dash_w_add rp_scc_w_add);

// Counters under strings. dashmap and scc change an entry under a borrowed key, so that a string is made for a new one only;
// papaya asks for a string each time, since each change is an entry of its own.

#[no_mangle]
pub unsafe extern "C" fn rp_pap_s_add(
    m: *const papaya::HashMap<Box<[u8]>, u64, RandomState>, g: *const papaya::LocalGuard<'static>, key: *const u8, len: usize,
    delta: u64,
) {
    (*m).update_or_insert(<Box<[u8]> as Key>::own(key, len), |v| v.wrapping_add(delta), delta, &*g);
}

#[no_mangle]
pub unsafe extern "C" fn rp_dash_s_add(
    m: *const dashmap::DashMap<Box<[u8]>, u64, RandomState>, key: *const u8, len: usize, delta: u64,
) {
    // The reference locks the shard: it has to be gone before the entry is asked for.
    if let Some(mut v) = (*m).get_mut(<Box<[u8]> as Key>::lookup(key, len)) {
        *v = v.wrapping_add(delta);
        return;
    }
    let mut v = (*m).entry(<Box<[u8]> as Key>::own(key, len)).or_insert(0);
    *v = v.wrapping_add(delta);
}

#[no_mangle]
pub unsafe extern "C" fn rp_scc_s_add(
    m: *const scc::HashMap<Box<[u8]>, u64, RandomState>, key: *const u8, len: usize, delta: u64,
) {
    let add = |v: &mut u64| *v = v.wrapping_add(delta);
    if (*m).update_sync(<Box<[u8]> as Key>::lookup(key, len), |_, v| add(v)).is_none() {
        (*m).entry_sync(<Box<[u8]> as Key>::own(key, len)).and_modify(add).or_insert(delta);
    }
}
