//! Stores of keys and values, without a guest.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::p2::testing::charged;

fn world(bytes: u64) -> (WasiCtx, Bucket) {
    let builder = WasiCtx::builder().store("default", Store::memory(1 << 20));
    let mut ctx = charged(builder, bytes);
    let bucket = open(&mut ctx, ("default".into(),)).unwrap().unwrap();
    (ctx, bucket)
}

fn set(ctx: &mut WasiCtx, bucket: Bucket, key: &str, value: &[u8]) {
    set_many(ctx, (bucket, vec![(key.into(), value.into())])).unwrap().unwrap();
}

#[test]
fn what_is_not_granted_is_denied() {
    let (mut ctx, _) = world(1 << 20);
    let denied = open(&mut ctx, ("other".into(),)).unwrap();
    assert_eq!(denied.err(), Some(KeyvalueError::AccessDenied));
    assert_eq!(ctx.denials().list().len(), 1);
}

#[test]
fn values_are_kept() {
    let (mut ctx, bucket) = world(1 << 20);
    set(&mut ctx, bucket, "a", b"1");
    set(&mut ctx, bucket, "b", b"");
    assert_eq!(get(&mut ctx, (bucket, "a".into())).unwrap(), Ok(Some(b"1".to_vec())));
    assert_eq!(get(&mut ctx, (bucket, "b".into())).unwrap(), Ok(Some(Vec::new())));
    assert_eq!(get(&mut ctx, (bucket, "c".into())).unwrap(), Ok(None));
    let many = get_many(&mut ctx, (bucket, vec!["c".into(), "a".into()])).unwrap().unwrap();
    assert_eq!(many, [None, Some(("a".into(), b"1".to_vec()))]);
    let listed = list_keys(&mut ctx, (bucket, None)).unwrap().unwrap();
    assert_eq!((listed.keys, listed.cursor), (vec!["a".to_owned(), "b".to_owned()], None));
    delete_many(&mut ctx, (bucket, vec!["a".into(), "c".into()])).unwrap().unwrap();
    assert_eq!(get(&mut ctx, (bucket, "a".into())).unwrap(), Ok(None));
    let long = get(&mut ctx, (bucket, "x".repeat(5000))).unwrap();
    assert!(matches!(long, Err(KeyvalueError::Other(_))));
}

#[test]
fn a_swap_fails_if_somebody_was_faster() {
    let (mut ctx, bucket) = world(1 << 20);
    set(&mut ctx, bucket, "a", b"1");
    let cas = begin(&mut ctx, (bucket, "a".into())).unwrap().unwrap();
    assert_eq!(current(&mut ctx, (cas,)).unwrap(), Ok(Some(b"1".to_vec())));
    set(&mut ctx, bucket, "a", b"2");
    let failed = swap(&mut ctx, (cas, b"3".to_vec())).unwrap().unwrap_err();
    let CasError::CasFailed(again) = failed else { unreachable!("{failed:?}") };
    assert_eq!(current(&mut ctx, (again,)).unwrap(), Ok(Some(b"2".to_vec())));
    // A guest may import it as a function that borrows.
    let lent = Resource::new_borrow(again.rep());
    let (mut other, bucket_of_other) = world(1 << 20);
    let cas = begin(&mut other, (bucket_of_other, "a".into())).unwrap().unwrap();
    assert_eq!(cas.rep(), lent.rep(), "the numbers are the same in both worlds");
    let error = swap(&mut other, (lent, b"3".to_vec())).unwrap_err();
    assert!(error.to_string().contains("has to pass it on"), "{error}");
    let error = swap(&mut other, (cas, b"3".to_vec())).unwrap_err();
    assert!(error.to_string().contains("cannot be tried again"), "{error}");
    swap(&mut ctx, (again, b"3".to_vec())).unwrap().unwrap();
    assert_eq!(get(&mut ctx, (bucket, "a".into())).unwrap(), Ok(Some(b"3".to_vec())));
    assert_eq!(ctx.p2.table.len(), 1, "a swap is used up");
}

#[test]
fn many_large_values_are_charged() {
    let (mut ctx, bucket) = world(500_000);
    set(&mut ctx, bucket, "a", &[1; 200_000]);
    let keys = |count| vec!["a".to_owned(); count];
    assert!(get_many(&mut ctx, (bucket, keys(2))).unwrap().is_ok());
    assert!(get_many(&mut ctx, (bucket, keys(3))).is_err());
    let held: Vec<_> = (0..9).map_while(|_| begin(&mut ctx, (bucket, "a".into())).ok()).collect();
    assert_eq!(held.len(), 2, "what a swap keeps is charged");
}
