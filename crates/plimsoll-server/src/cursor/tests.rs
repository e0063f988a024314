use plimsoll::record::{Column, ColumnType, Schema};
use plimsoll_store::catalogue::{ColumnRole, Resource};

use super::*;
use crate::params::SelectionParams;

fn served() -> Served {
    let column = |name: &str, kind| Column { name: name.into(), kind, nullable: false };
    let columns = vec![column("id", ColumnType::Int), column("name", ColumnType::Text)];
    let mut resource = Resource::new("goods", Schema { columns }, vec![0]);
    resource.path = Some("goods".into());
    resource.roles[0] = ColumnRole::Generated;
    resource.writable = true;
    Served::new(resource.into(), true).expect("a resource")
}

fn selection(served: &Served, sort: &str, filter: Option<&str>) -> Selection {
    let mut params = SelectionParams::new(served);
    assert!(params.take("sort", sort).expect("a sort"));
    if let Some(filter) = filter {
        assert!(params.take("filter", filter).expect("a filter"));
    }
    params.finish().expect("a selection")
}

#[test]
fn a_cursor_comes_back_as_it_was_sealed() {
    let (served, key) = (served(), CursorKey::new([7; 32]));
    let by_name = selection(&served, "-name", None);
    let position = Position(vec![Value::Text("tea".into()), Value::Int(-5)]);
    let text = key.seal(by_name.scope, Direction::Backwards, &position).expect("short");
    let opened = key.open(&text, &by_name, &served).expect("ours");
    assert_eq!(opened, Opened { direction: Direction::Backwards, position });
}

#[test]
fn a_cursor_with_any_character_changed_is_refused() {
    let (served, key) = (served(), CursorKey::new([7; 32]));
    let by_id = selection(&served, "id", None);
    let position = Position(vec![Value::Int(9)]);
    let text = key.seal(by_id.scope, Direction::Forwards, &position).expect("short");
    for place in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("ascii");
        let answer = key.open(&changed, &by_id, &served);
        assert_eq!(answer.expect_err(&changed).kind(), Kind::CursorInvalid);
    }
    assert!(key.open(&text[..text.len() - 2], &by_id, &served).is_err());
}

#[test]
fn a_cursor_of_another_sort_filter_or_server_is_refused() {
    let (served, key) = (served(), CursorKey::new([7; 32]));
    let by_id = selection(&served, "id", None);
    let position = Position(vec![Value::Int(9)]);
    let text = key.seal(by_id.scope, Direction::Forwards, &position).expect("short");
    assert!(key.open(&text, &by_id, &served).is_ok());
    assert!(key.open(&text, &selection(&served, "-id", None), &served).is_err());
    assert!(key.open(&text, &selection(&served, "id", Some("id > 3")), &served).is_err());
    assert!(CursorKey::new([8; 32]).open(&text, &by_id, &served).is_err());
}

#[test]
fn the_plain_form_serves_only_the_unfiltered_order_of_the_key() {
    let (served, key) = (served(), CursorKey::new([7; 32]));
    let plain = "eyJpZCI6MTAwfQ";
    let opened = key.open(plain, &selection(&served, "id", None), &served).expect("plain");
    assert_eq!(opened.position, Position(vec![Value::Int(100)]));
    assert!(key.open(plain, &selection(&served, "name", None), &served).is_err());
    assert!(key.open(plain, &selection(&served, "id", Some("id > 3")), &served).is_err());
    let other = BASE64.encode("{\"id\":100,\"x\":1}");
    assert!(key.open(&other, &selection(&served, "id", None), &served).is_err());
}

#[test]
fn a_sort_value_too_long_to_travel_is_refused_when_sealing() {
    let (served, key) = (served(), CursorKey::new([7; 32]));
    let by_name = selection(&served, "name", None);
    let position = Position(vec![Value::Text("x".repeat(5000).into()), Value::Int(1)]);
    assert!(key.seal(by_name.scope, Direction::Forwards, &position).is_err());
}
