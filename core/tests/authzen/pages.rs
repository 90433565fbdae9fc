//! Searches page by page, and the tokens between them.

use crate::*;

#[test]
fn a_search_is_paged_to_its_end() {
    let engine = engine_of(&crowd(20));
    // Members: u00000, u00003 … u00018.
    let mut all = Vec::new();
    let mut page = json!({ "limit": 3 });
    let mut sizes = Vec::new();
    loop {
        let found = ask(&engine, Endpoint::SearchSubject, &entering(page));
        sizes.push(found["page"]["count"].as_u64().unwrap());
        assert_eq!(found["page"]["count"], results(&found).len());
        all.extend(results(&found));
        let token = found["page"]["next_token"].as_str().unwrap();
        if token.is_empty() {
            break;
        }
        page = json!({ "token": token });
    }
    assert_eq!(sizes, [3, 3, 1]);
    assert_eq!(all, ["u00000", "u00003", "u00006", "u00009", "u00012", "u00015", "u00018"]);
    // A last page that is full leads nowhere, and neither does no page at all.
    assert_eq!(ask(&engine, Endpoint::SearchSubject, &entering(json!({ "limit": 7 })))["page"]["next_token"], "");
    assert_eq!(
        ask(&engine, Endpoint::SearchSubject, &entering(json!({})))["page"],
        json!({ "next_token": "", "count": 7 })
    );
    let none = ask(&engine, Endpoint::SearchSubject, &entering(json!({ "limit": 0 })));
    assert_eq!((&none["results"], none["page"]["next_token"] == ""), (&json!([]), false));
}

#[test]
fn a_page_has_a_largest_size() {
    let engine = engine_of(&crowd(4_000));
    for page in [json!({}), json!({ "limit": 1_000_000 }), json!({ "limit": u64::MAX })] {
        let found = ask(&engine, Endpoint::SearchSubject, &entering(page));
        assert_eq!((results(&found).len(), found["page"]["next_token"] == ""), (1_000, false));
    }
}

#[test]
fn a_token_is_for_one_search_of_one_policy() {
    let engine = engine_of(&crowd(20));
    let first = ask(&engine, Endpoint::SearchSubject, &entering(json!({ "limit": 3 })));
    assert_eq!(
        ask(&engine, Endpoint::SearchSubject, &entering(json!({ "limit": 3 }))),
        first,
        "no state between pages"
    );
    let token = first["page"]["next_token"].as_str().unwrap();
    let next = |page: Json| status(&engine, Endpoint::SearchSubject, &entering(page));
    assert_eq!(next(json!({ "token": token })), 200);
    assert_eq!(next(json!({ "token": token, "limit": 3 })), 200);
    assert_eq!(next(json!({ "token": token, "limit": 4 })), 400);
    let body = entering(json!({ "token": token }));
    for (pointer, value) in [
        ("/action", json!({ "name": "leave" })),
        ("/resource/id", json!("2")),
        ("/context", json!({ "a": 1 })),
        ("/subject/properties", json!({ "level": 1 })),
    ] {
        assert_eq!(
            status(&engine, Endpoint::SearchSubject, &with(body.clone(), pointer, Some(value))),
            400,
            "{pointer}"
        );
    }
    // Nor for another endpoint, another policy, or an engine with another secret.
    let elsewhere = with(with(body.clone(), "/subject/id", Some(json!("*"))), "/resource/id", Some(json!("1")));
    assert_eq!(status(&engine, Endpoint::SearchResource, &elsewhere), 400);
    assert_eq!(status(&engine_of(&crowd(21)), Endpoint::SearchSubject, &body), 400);
    let mut config = Config::default();
    config.key = [7; 16];
    let other = Engine::new(config);
    other.activate(bundle(&crowd(20)), NOW).unwrap();
    assert_eq!(status(&other, Endpoint::SearchSubject, &body), 400);
}

#[test]
fn a_token_that_was_not_given_is_refused() {
    let engine = engine_of(&crowd(20));
    let first = ask(&engine, Endpoint::SearchSubject, &entering(json!({ "limit": 3 })));
    let token = first["page"]["next_token"].as_str().unwrap();
    for at in 0..token.len() {
        let mut forged = token.as_bytes().to_vec();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let page = json!({ "token": String::from_utf8(forged).unwrap() });
        assert_eq!(status(&engine, Endpoint::SearchSubject, &entering(page)), 400, "changed at {at}");
        let page = json!({ "token": &token[..at] });
        assert_eq!(status(&engine, Endpoint::SearchSubject, &entering(page)), 400, "cut at {at}");
    }
    for page in [
        json!({ "token": format!("{token}A") }),
        json!({ "token": format!("{token}=") }),
        json!({ "token": "ü" }),
        json!({ "token": 5 }),
        json!({ "token": null }),
        json!({ "limit": -1 }),
        json!({ "limit": 1.5 }),
        json!({ "limit": "3" }),
        json!({ "limit": null }),
        json!([]),
        json!("x"),
    ] {
        for endpoint in [Endpoint::SearchSubject, Endpoint::SearchResource, Endpoint::SearchAction] {
            let body = with(
                with(entering(page.clone()), "/subject/id", Some(json!("u00000"))),
                "/resource/id",
                Some(json!("1")),
            );
            assert_eq!(status(&engine, endpoint, &body), 400, "{endpoint:?} {page}");
        }
    }
}
