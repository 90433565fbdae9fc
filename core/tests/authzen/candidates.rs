//! What a search may find, and what becomes of it.

use crate::*;

/// Every result, put into an evaluation as it stands, is allowed; every other candidate is denied.
#[test]
fn a_search_finds_exactly_what_an_evaluation_allows() {
    let engine = engine_of(&crowd(20));
    let body = entering(json!({}));
    let found = ask(&engine, Endpoint::SearchSubject, &body);
    assert_eq!(found["results"][1], json!({ "type": "user", "id": "u00003", "properties": { "member": true } }));
    for at in 0..20 {
        let declared = json!({ "type": "user", "id": format!("u{at:05}"), "properties": { "member": at % 3 == 0 } });
        let allowed = ask(&engine, Endpoint::Evaluation, &with(body.clone(), "/subject", Some(declared.clone())))["decision"]
            == true;
        assert_eq!(found["results"].as_array().unwrap().contains(&declared), allowed, "{declared}");
    }
}

/// A declaration stands; the caller's word counts where it is silent, and then the result says so.
#[test]
fn what_a_caller_says_of_the_one_sought_never_overrides_its_declaration() {
    let engine = engine_of(&crowd(6));
    let claims = with(entering(json!({})), "/subject/properties", Some(json!({ "member": true, "level": 2 })));
    let found = ask(&engine, Endpoint::SearchSubject, &claims);
    assert_eq!(results(&found), ["u00000", "u00003"]);
    assert_eq!(found["results"][0]["properties"], json!({ "member": true, "level": 2 }));
    let denies = with(entering(json!({})), "/subject/properties", Some(json!({ "member": false })));
    assert_eq!(results(&ask(&engine, Endpoint::SearchSubject, &denies)), ["u00000", "u00003"]);
}

/// An evaluation by identifiers alone knows nothing of the candidates: what a request leaves out is unknown.
#[test]
fn an_evaluation_does_not_read_candidates() {
    let engine = engine_of(&crowd(6));
    let body = with(entering(json!({})), "/subject/id", Some(json!("u00000")));
    let answer = ask(&engine, Endpoint::Evaluation, &body);
    assert_eq!((&answer["decision"], &answer["context"]["reason"]), (&json!(false), &json!("invalid_request")));
}

#[test]
fn candidates_must_fit_the_schema() {
    let refused = |candidates: Json, code: &str, pointer: &str| {
        let document = with(crowd(1), "/candidates", Some(candidates));
        let error = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
        let found = &error.diagnostics()[0];
        assert_eq!((found.code.as_str(), found.pointer.as_str()), (code, pointer));
    };
    refused(json!({ "subject": { "usr": {} } }), "unknown_attribute", "/candidates/subject/usr");
    refused(
        json!({ "subject": { "user": { "a": { "membr": true } } } }),
        "unknown_attribute",
        "/candidates/subject/user/a/membr",
    );
    refused(
        json!({ "subject": { "user": { "a": { "member": "yes" } } } }),
        "type_mismatch",
        "/candidates/subject/user/a/member",
    );
    refused(
        json!({ "resource": { "room": { "1": { "size": 5 } } } }),
        "unknown_attribute",
        "/candidates/resource/room/1/size",
    );
    refused(json!({ "subject": { "user": { "": {} } } }), "invalid_value", "/candidates/subject/user/");
    refused(
        json!({ "subject": { "user": { "a/b~\u{0}": {} } } }),
        "invalid_value",
        "/candidates/subject/user/a~1b~0\u{0}",
    );
    refused(
        json!({ "subject": { "user": { "x".repeat(1_025): {} } } }),
        "limit_exceeded",
        &format!("/candidates/subject/user/{}", "x".repeat(1_025)),
    );
    refused(json!({ "subject": { "user": { "a": null } } }), "invalid_value", "/candidates/subject/user/a");
    refused(json!({ "subjects": {} }), "unknown_field", "/candidates/subjects");
    refused(json!([]), "invalid_value", "/candidates");
}

#[test]
fn a_bundle_has_so_many_candidates_and_no_more() {
    let load = |count| Bundle::from_document(&crowd(count), &Trust::unsigned_for_development(), &Limits::DEFAULT);
    assert!(load(Limits::DEFAULT.candidates_max).is_ok());
    let error = load(Limits::DEFAULT.candidates_max + 1).unwrap_err();
    assert_eq!(
        (error.diagnostics()[0].code.as_str(), error.diagnostics()[0].pointer.as_str()),
        ("limit_exceeded", "/candidates")
    );
}

#[test]
fn candidates_are_part_of_the_bundle() {
    let (one, other) = (bundle(&crowd(1)), bundle(&crowd(2)));
    assert_ne!(one.id(), other.id());
    let again = Bundle::from_json(one.bytes(), &Trust::unsigned_for_development()).unwrap();
    let engine = Engine::new(Config::default());
    engine.activate(again, NOW).unwrap();
    assert_eq!(results(&ask(&engine, Endpoint::SearchSubject, &entering(json!({})))), ["u00000"]);
}
