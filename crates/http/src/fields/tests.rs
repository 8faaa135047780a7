//! Which fields there may be, and how many.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn fields(list: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::new(None);
    for (name, value) in list {
        fields.append((*name).to_owned(), value.as_bytes().to_vec()).unwrap();
    }
    fields
}

fn values<'a>(fields: &'a Fields, name: &'a str) -> Vec<&'a [u8]> {
    fields.get(name).collect()
}

#[test]
fn names_have_no_case_and_keep_it() {
    let mut some = fields(&[("X-A", "1"), ("b", "2"), ("x-a", "3")]);
    assert_eq!(values(&some, "x-A"), [b"1", b"3"]);
    assert_eq!(some.entries()[0].0, "X-A");
    some.set("X-a", vec![b"4".to_vec(), b"".to_vec()]).unwrap();
    assert_eq!(values(&some, "x-a"), [&b"4"[..], b""]);
    some.delete("B").unwrap();
    assert_eq!(values(&some, "b"), [&b""[..]; 0]);
    let names: Vec<_> = some.entries().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["X-a", "X-a"]);
    assert_eq!(some.bytes, 7);
}

#[test]
fn what_is_no_field_is_refused() {
    let mut some = fields(&[]);
    for name in ["", " ", "a b", "a:", "a\n", "ä", "a\0", "(a)"] {
        let error = some.append(name.to_owned(), Vec::new()).unwrap_err();
        assert!(matches!(error, FieldError::Syntax), "{name:?}: {error:?}");
    }
    for value in [&b"a\r\nb: c"[..], b"\n", b"\r", b"\0", b"\x7f"] {
        let error = some.append("a".to_owned(), value.to_vec()).unwrap_err();
        assert!(matches!(error, FieldError::Syntax), "{value:?}: {error:?}");
        let error = some.set("a", vec![b"fine".to_vec(), value.to_vec()]).unwrap_err();
        assert!(matches!(error, FieldError::Syntax), "{value:?}: {error:?}");
    }
    for name in ["Connection", "HOST", "transfer-encoding", "Proxy-Authorization", "upgrade"] {
        let error = some.append(name.to_owned(), Vec::new()).unwrap_err();
        assert!(matches!(error, FieldError::Forbidden), "{name}: {error:?}");
        assert!(matches!(some.set(name, vec![]).unwrap_err(), FieldError::Forbidden), "{name}");
        assert!(matches!(some.delete(name).unwrap_err(), FieldError::Forbidden), "{name}");
    }
    assert!(some.entries().is_empty());
    some.append("a".to_owned(), b"\x80\xff\t ".to_vec()).unwrap();
}

#[test]
fn there_is_an_end_to_them() {
    let mut some = fields(&[]);
    for _ in 0..FIELDS_MAX {
        some.append("a".to_owned(), Vec::new()).unwrap();
    }
    assert!(matches!(some.append("a".to_owned(), Vec::new()), Err(FieldError::Size)));
    let mut one = fields(&[("b", "c")]);
    let large = vec![b'x'; FIELDS_BYTES_MAX - 1];
    assert!(matches!(one.append("a".to_owned(), large.clone()), Err(FieldError::Size)));
    assert!(matches!(one.set("b", vec![large.clone(), large.clone()]), Err(FieldError::Size)));
    assert_eq!(values(&one, "b"), [b"c"], "a refused change changes nothing");
    one.set("b", vec![large]).unwrap();
}

#[test]
fn they_are_charged_while_they_last() {
    let budget = Budget::new(dunlin_engine::Limits { budget_bytes: 1000, ..Default::default() });
    let used = |budget: &Budget| budget.used(Charge::Bytes);
    let mut some = Fields::new(Some(budget.share()));
    some.append("name".to_owned(), vec![b'x'; 400]).unwrap();
    assert_eq!(used(&budget), 404 + FIELD_BYTES as u64);
    let copy = some.copy().unwrap();
    assert_eq!(used(&budget), 2 * (404 + FIELD_BYTES as u64));
    let error = some.append("name".to_owned(), vec![b'x'; 100]).unwrap_err();
    assert!(matches!(error, FieldError::Budget(_)), "{error:?}");
    drop(copy);
    some.delete("name").unwrap();
    assert_eq!(used(&budget), 0);
}

#[test]
fn lengths_have_one_reading() {
    let length = |list: &[(&str, &str)]| fields(list).content_length();
    assert_eq!(length(&[]), Ok(None));
    assert_eq!(length(&[("Content-Length", "12")]), Ok(Some(12)));
    for wrong in ["", "+5", "-1", "0x5", "5, 5", " 5", "18446744073709551616"] {
        assert_eq!(length(&[("content-length", wrong)]), Err(()), "{wrong:?}");
    }
    assert_eq!(length(&[("content-length", "5"), ("Content-Length", "5")]), Err(()));
}

#[test]
fn trailers_frame_nothing() {
    assert!(fields(&[("grpc-status", "0")]).trailers().is_some());
    for name in NO_TRAILERS {
        assert!(fields(&[("a", "b"), (name, "1")]).trailers().is_none(), "{name}");
    }
}

#[test]
fn what_belongs_to_a_connection_is_not_received() {
    let mut map = HeaderMap::new();
    for name in ["connection", "proxy-authenticate", "x-a"] {
        map.append(name, HeaderValue::from_static("x"));
    }
    let seen = Fields::received(&map, None).unwrap();
    assert_eq!(seen.entries(), [("x-a".to_owned(), b"x".to_vec())]);
}
