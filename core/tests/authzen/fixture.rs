//! The certification fixture: two users, two records, three actions.

use crate::*;

#[test]
fn the_fixture_decides_by_identifiers() {
    let engine = fixture();
    for (subject, action, resource, allowed) in [
        ("alice", "read", "record-1", true),
        ("alice", "write", "record-1", true),
        ("bob", "read", "record-1", true),
        ("bob", "write", "record-1", false),
        ("carol", "read", "record-1", false),
        ("alice", "read", "record-9", false),
        ("alice", "print", "record-1", false),
    ] {
        assert_eq!(allows(&engine, &question(subject, action, resource)), allowed, "{subject} {action} {resource}");
    }
}

#[test]
fn the_fixture_decides_by_properties() {
    let engine = fixture();
    let archived = Some(json!({ "status": "archived" }));
    for resource in ["record-1", "record-2"] {
        let write = with(question("alice", "write", resource), "/resource/properties", archived.clone());
        assert!(!allows(&engine, &write), "{resource}");
        for subject in ["alice", "bob"] {
            let admin = with(write.clone(), "/subject/id", Some(json!(subject)));
            let admin = with(admin, "/subject/properties", Some(json!({ "role": "admin" })));
            assert!(allows(&engine, &admin), "{subject} {resource}");
        }
    }
    for (soft, allowed) in [(true, true), (false, false)] {
        let delete = with(question("alice", "delete", "record-1"), "/action/properties", Some(json!({ "soft": soft })));
        assert_eq!(allows(&engine, &delete), allowed, "soft: {soft}");
    }
}

#[test]
fn the_declared_exception_is_named_in_its_decisions_and_no_others() {
    let engine = fixture();
    let loss = |body: &Json| ask(&engine, Endpoint::Evaluation, body)["context"]["information_loss"].clone();
    assert_eq!(loss(&question("alice", "write", "record-1")), true);
    assert_eq!(loss(&question("alice", "read", "record-1")), Json::Null);
    assert_eq!(loss(&question("bob", "write", "record-2")), Json::Null);
}

#[test]
fn the_fixture_is_searched() {
    let engine = fixture();
    let readers = json!({ "subject": { "type": "user" }, "action": { "name": "read" }, "resource": { "type": "record", "id": "record-1" } });
    assert_eq!(find(&engine, Endpoint::SearchSubject, &readers), ["alice", "bob"]);
    let readable = json!({ "subject": { "type": "user", "id": "alice" }, "action": { "name": "read" }, "resource": { "type": "record" } });
    assert_eq!(find(&engine, Endpoint::SearchResource, &readable), ["record-1", "record-2"]);
    let possible =
        json!({ "subject": { "type": "user", "id": "alice" }, "resource": { "type": "record", "id": "record-1" } });
    assert_eq!(find(&engine, Endpoint::SearchAction, &possible), ["read", "write"]);
    // With properties.
    let writers = json!({ "subject": { "type": "user" }, "action": { "name": "write" },
        "resource": { "type": "record", "id": "record-2", "properties": { "status": "archived" } } });
    assert_eq!(find(&engine, Endpoint::SearchSubject, &writers), ["bob"]);
    let admin = json!({ "type": "user", "id": "bob", "properties": { "role": "admin" } });
    let writable = json!({ "subject": admin, "action": { "name": "write" }, "resource": { "type": "record" } });
    assert_eq!(find(&engine, Endpoint::SearchResource, &writable), ["record-2"]);
    let on_archived = json!({ "subject": admin, "resource": { "type": "record", "id": "record-2", "properties": { "status": "archived" } } });
    assert_eq!(find(&engine, Endpoint::SearchAction, &on_archived), ["read", "write"]);
    // The form of a result.
    assert_eq!(ask(&engine, Endpoint::SearchSubject, &writers)["results"], json!([{ "type": "user", "id": "bob" }]));
    assert_eq!(ask(&engine, Endpoint::SearchAction, &possible)["results"][0], json!({ "name": "read" }));
}

#[test]
fn what_is_unknown_is_not_found() {
    let engine = fixture();
    let empty = |endpoint, body: &Json| assert_eq!(find(&engine, endpoint, body), Vec::<String>::new(), "{body}");
    let party = |party_type: &str, id: &str| json!({ "type": party_type, "id": id });
    let (read, user, record) = (json!({ "name": "read" }), json!({ "type": "user" }), json!({ "type": "record" }));
    for (action, resource) in [
        (&read, party("record", "record-9")),
        (&read, party("planet", "record-1")),
        (&json!({ "name": "print" }), party("record", "record-1")),
    ] {
        empty(Endpoint::SearchSubject, &json!({ "subject": user, "action": action, "resource": resource }));
    }
    let robots = json!({ "subject": { "type": "robot" }, "action": read, "resource": party("record", "record-1") });
    empty(Endpoint::SearchSubject, &robots);
    for subject in [party("user", "carol"), party("robot", "alice")] {
        empty(Endpoint::SearchResource, &json!({ "subject": subject, "action": read, "resource": record }));
        empty(Endpoint::SearchAction, &json!({ "subject": subject, "resource": party("record", "record-1") }));
    }
    let planets = json!({ "subject": party("user", "alice"), "action": read, "resource": { "type": "planet" } });
    empty(Endpoint::SearchResource, &planets);
    let without = Engine::new(Config::default());
    assert_eq!(find(&without, Endpoint::SearchResource, &planets), Vec::<String>::new());
}
