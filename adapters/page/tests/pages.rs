//! Credentials as pages: what they say, and that they are drawn.

use serde_json::{Value, json};
use silta_adapter::seal::Show;
use silta_page::{Block, Content, Language, Pages, images, pdf};

fn concept(id: &str, en: &str, fi: &str) -> Value {
    json!({"id": id, "type": "Concept", "prefLabel": {"en": en, "fi": fi}})
}

fn degree(parts: usize) -> Value {
    let ects = "http://data.europa.eu/snb/education-credit/6fcec5c5af";
    let credits = |point: &str| json!({"framework": {"id": ects}, "point": point});
    let part = |nth: usize| {
        json!({"title": {"fi": format!("Opintojakso {nth}"), "en": format!("Course {nth}")},
        "specifiedBy": {"creditPoint": credits("2.5")}, "provenBy": {"grade": {"noteLiteral": {"und": "4"}}},
        "influencedBy": {"temporal": {"endDate": "2025-05-31T00:00:00Z"}},
        "hasPart": if nth == 1 { json!([{"title": {"fi": "Osa"}}]) } else { Value::Null }})
    };
    json!({
        "id": "urn:credential:00000000-0000-4000-8000-000000000001",
        "issued": "2026-11-22T10:00:00Z",
        "issuer": {"legalName": {"en": "Esimerkki Oy"}},
        "displayParameter": {"title": {"fi": "Hyvinvointiteknologian pieni osaamiskokonaisuus <5>", "en": "Welfare technology & care"},
            "language": [{"id": "http://publications.europa.eu/resource/authority/language/FIN"},
                {"id": "http://publications.europa.eu/resource/authority/language/SWE"}]},
        "credentialSubject": {"fullName": {"und": "Testi Taru Esimerkki"}, "dateOfBirth": "1999-10-02T00:00:00Z",
            "hasClaim": {"title": {"fi": "Hyvinvointiteknologian pieni osaamiskokonaisuus <5>", "en": "Welfare technology & care"},
                "awardedBy": {"awardingBody": [{"legalName": {"fi": "Esimerkin ammattikorkeakoulu", "en": "Example UAS"}},
                    {"legalName": {"fi": "Toinen korkeakoulu"}}], "awardingDate": "2026-06-01T00:00:00Z"},
                "provenBy": {"grade": {"noteLiteral": {"und": "5"}}, "idVerification": concept("x", "Supervised", "Valvottu"),
                    "specifiedBy": {"dcType": concept("y", "Written examination", "Kirjallinen koe"), "gradingScheme": {"title": {"fi": "0–5"}}}},
                "specifiedBy": {"creditPoint": credits("5"), "volumeOfLearning": "PT135H", "eqfLevel": concept("http://data.europa.eu/snb/eqf/6", "Level 6", "Taso 6"),
                    "learningOutcome": [{"title": {"fi": "Osaa valita teknologian"}}, {"title": {"fi": "Osaa arvioida vaikutuksia"}}]},
                "hasPart": (1..=parts).map(part).collect::<Vec<_>>()}},
    })
}

#[test]
fn a_page_says_what_the_credential_says_in_each_language() {
    for language in Language::ALL {
        let content = Content::of(&degree(2), language);
        insta::assert_debug_snapshot!(format!("content_{}", language.code()), content);
    }
}

#[test]
fn a_shifted_birth_date_is_not_shown() {
    let mut credential = degree(0);
    credential["credentialSubject"]["dateOfBirth"] = json!("1999-10-01T22:00:00Z");
    let content = Content::of(&credential, Language::English);
    let name = Language::English.words().date_of_birth;
    assert!(!content.blocks.iter().any(|block| matches!(block, Block::Fact(own, _) if *own == name)));
}

#[test]
fn pages_are_drawn_and_a_long_transcript_goes_on() {
    for (parts, sheets) in [(2, 1), (60, 4)] {
        let images = images(&degree(parts), Language::Finnish).expect("drawn");
        assert_eq!(images.len(), sheets);
        for png in &images {
            assert!(png.starts_with(b"\x89PNG") && png.len() < 60_000, "{}", png.len());
        }
    }
    let one = images(&degree(2), Language::Finnish).expect("drawn");
    assert_eq!(one, images(&degree(2), Language::Finnish).expect("drawn"), "the same page each time");
    assert_ne!(one, images(&degree(2), Language::Swedish).expect("drawn"));
    if let Some(folder) = std::env::var_os("SILTA_PAGES") {
        std::fs::write(std::path::Path::new(&folder).join("page.png"), &one[0]).expect("writes");
        let pdf = pdf(&degree(30), Language::Finnish).expect("drawn");
        std::fs::write(std::path::Path::new(&folder).join("page.pdf"), pdf).expect("writes");
    }
}

/// What a page is drawn of is anybody's text.
#[test]
fn odd_text_is_drawn_too() {
    let mut credential = degree(1);
    let odd = "\u{0}\u{202e}漢字 مرحبا <b>&amp;\n\t".repeat(12) + &"x".repeat(2000);
    credential["displayParameter"]["title"] = json!({"fi": odd});
    credential["credentialSubject"]["hasClaim"]["provenBy"]["grade"]["noteLiteral"] = json!({"und": odd});
    credential["credentialSubject"]["hasClaim"]["hasPart"][0]["title"] = json!({"fi": ""});
    assert!(images(&credential, Language::Finnish).expect("drawn").len() > 1);
    assert!(pdf(&credential, Language::Finnish).expect("written").starts_with(b"%PDF"));
    assert!(pdf(&json!({}), Language::English).expect("written").starts_with(b"%PDF"));
}

#[test]
fn the_pdf_is_accessible() {
    // The writer itself refuses what PDF/UA-1 does not allow.
    let pdf = pdf(&degree(60), Language::Swedish).expect("written");
    let text = String::from_utf8_lossy(&pdf);
    for needle in ["/Lang(sv", "/StructTreeRoot", "pdfuaid", "/MarkInfo"] {
        assert!(text.contains(needle), "{needle}");
    }
}

#[test]
fn a_credential_gets_its_images_in_its_languages_each_once() {
    let display = Pages.show(&degree(2)).expect("shown");
    let languages: Vec<_> = display.as_array().expect("several").iter().map(|one| &one["language"]["id"]).collect();
    assert_eq!(languages.len(), 2, "{languages:?}");
    assert!(display[0]["displayDetail"][0]["image"]["content"].as_str().expect("an image").starts_with("iVBOR"));
    let mut other = degree(2);
    other["displayParameter"]["language"] =
        json!({"id": "http://publications.europa.eu/resource/authority/language/EST"});
    let display = Pages.show(&other).expect("shown");
    assert_eq!(display.as_array().map(Vec::len), Some(1));
}
