//! Packs with keys that are none, or with demands that nobody could meet.

use super::*;

#[test]
fn keys_that_are_none_are_refused_when_the_pack_is_loaded() {
    let key = seed("sre-1").verifying_key().to_bytes();
    for text in [
        "",
        "ed25519:",
        "rsa:AAAA",
        "ed25519:AAAA",
        &format!("ed25519:{}", HEXLOWER.encode(&[0; 32])),
        // The neutral element, and it in a form that is not canonical: y = 1 + p.
        &format!("ed25519:01{}", "00".repeat(31)),
        &format!("ed25519:ee{}7f", "ff".repeat(30)),
        // A point of order 8, as the papers on Ed25519 list it.
        "ed25519:26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        &format!("ed25519:{}", HEXLOWER.encode(&key[..31])),
        "totp:",
        "totp:GEZDGNBV",
        "totp:not base32!",
        &format!("totp:{}", BASE32_NOPAD.encode(&[0; 20])),
        &format!("totp:{}", BASE32_NOPAD.encode(&[9; 129])),
    ] {
        let mut document = pack();
        document["approvers"]["sre"]["sre-1"] = text.into();
        let error = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
        let first = &error.diagnostics()[0];
        assert_eq!((first.code.as_str(), first.pointer.as_str()), ("invalid_key", "/approvers/sre/sre-1"), "{text}");
        assert!(text.len() < 12 || !first.to_string().contains(&text[8..]), "a message never shows a key");
    }
    let mut document = pack();
    document["approvers"]["sre"]["sre-1"] = format!("ed25519:{}", HEXLOWER.encode(&key)).into();
    bundle(&document);
}

#[test]
fn demands_that_nobody_could_meet_are_refused_when_the_pack_is_loaded() {
    let cases: [(&str, Value, &str); 13] = [
        ("/overrides/need", 0.into(), "/overrides/need"),
        ("/overrides/need", 4.into(), "/overrides/need"),
        ("/overrides/from", "nobody".into(), "/overrides/from"),
        ("/overrides/max_window", "0s".into(), "/overrides/max_window"),
        ("/overrides/max_window", "25h".into(), "/overrides/max_window"),
        ("/overrides/max_uses", 0.into(), "/overrides/max_uses"),
        ("/overrides/max_uses", 10_001.into(), "/overrides/max_uses"),
        ("/approvers/sre", json!({}), "/approvers/sre"),
        ("/postures/0/leave/approvals/need", 3.into(), "/postures/0/leave/approvals/need"),
        ("/flags/emergency/posture", "normal".into(), "/flags/emergency/posture"),
        ("/flags/emergency/owner", " ".into(), "/flags/emergency/owner"),
        ("/flags/emergency/max_age", "0s".into(), "/flags/emergency/max_age"),
        ("/rules/0/absolute", true.into(), "/rules/0/absolute"),
    ];
    for (place, value, expected) in cases {
        let mut document = pack();
        match document.pointer_mut(place) {
            Some(there) => *there = value,
            None => document["rules"][0]["absolute"] = value,
        }
        let error = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
        assert!(error.diagnostics().iter().any(|one| one.pointer == expected), "{place}: {:?}", error.diagnostics());
    }
    // All of one group, and nobody else who could propose.
    let mut alone = pack();
    alone["approvers"].as_object_mut().unwrap().remove("security");
    alone.as_object_mut().unwrap().remove("overrides");
    alone["postures"][0]["leave"]["approvals"]["need"] = 2.into();
    let error = Bundle::from_document(&alone, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
    assert_eq!(error.diagnostics()[0].pointer, "/postures/0/leave/approvals/need");
}
