//! What the pages say besides what credentials say, in Finnish, Swedish and English.

use silta_page::Language;
use silta_seal::report::{Status, Step};

/// The words of a language.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is the word itself")]
pub struct Words {
    pub valid: &'static str,
    pub valid_note: &'static str,
    pub sealed: &'static str,
    pub sealed_note: &'static str,
    pub withdrawn: &'static str,
    pub withdrawn_note: &'static str,
    pub invalid: &'static str,
    pub invalid_note: &'static str,
    pub checks: &'static str,
    pub check: &'static str,
    pub result: &'static str,
    pub found: &'static str,
    pub take_along: &'static str,
    pub download: &'static str,
    pub pdf: &'static str,
    pub profile: &'static str,
    pub qr: &'static str,
    pub qr_note: &'static str,
    pub sealed_by: &'static str,
    pub nowhere: &'static str,
    pub nowhere_note: &'static str,
    pub languages: &'static str,
    pub skip: &'static str,
    steps: [&'static str; 10],
    statuses: [&'static str; 3],
}

impl Words {
    /// The words of a language.
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::Finnish => &FINNISH,
            Language::Swedish => &SWEDISH,
            Language::English => &ENGLISH,
        }
    }

    /// The name of a check.
    pub fn step(&self, step: Step) -> &'static str {
        Step::ALL.iter().zip(self.steps).find(|(own, _)| **own == step).map_or("", |(_, name)| name)
    }

    /// How a check ended.
    pub fn status(&self, status: Status) -> &'static str {
        let [ok, skipped, error] = self.statuses;
        match status {
            Status::Ok => ok,
            Status::Skipped => skipped,
            Status::Error => error,
        }
    }
}

const FINNISH: Words = Words {
    valid: "Todistus on voimassa",
    valid_note: "Sinetti on korkeakoulun oma, eikä todistusta ole muutettu sinetöinnin jälkeen.",
    sealed: "Todistus on eheä",
    sealed_note: "Todistusta ei ole muutettu sinetöinnin jälkeen. Sinetti ei ole se, jota korkeakoulu käyttää nyt.",
    withdrawn: "Todistus on peruttu",
    withdrawn_note: "Korkeakoulu on perunut todistuksen tai antanut sen tilalle uuden.",
    invalid: "Todistus ei ole pätevä",
    invalid_note: "Jokin tarkistus epäonnistui. Todistukseen ei voi luottaa.",
    checks: "Tarkistukset",
    check: "Tarkistus",
    result: "Tulos",
    found: "Selite (englanniksi)",
    take_along: "Ota mukaan",
    download: "Lataa sinetöity todistus (JSON)",
    pdf: "Lataa sivu (PDF)",
    profile: "Lisää LinkedIn-profiiliin",
    qr: "QR-koodi tämän sivun osoitteesta",
    qr_note: "Koodi avaa tämän sivun puhelimessa.",
    sealed_by: "Sinetöijä",
    nowhere: "Linkki ei ole voimassa",
    nowhere_note: "Linkki on vanhentunut, peruttu tai väärin kirjoitettu. Pyydä uusi siltä, jolta sait sen.",
    languages: "Kieli",
    skip: "Siirry sisältöön",
    steps: [
        "Rakenne",
        "Allekirjoitus",
        "Varmenne",
        "Luottamusketju",
        "Varmenteen sulkeminen",
        "Aikaleimat",
        "Antaja",
        "Muoto",
        "Voimassaoloaika",
        "Peruminen",
    ],
    statuses: ["kunnossa", "ei tarkistettu", "virhe"],
};

const SWEDISH: Words = Words {
    valid: "Intyget är giltigt",
    valid_note: "Förseglingen är högskolans egen, och intyget har inte ändrats efter förseglingen.",
    sealed: "Intyget är oförändrat",
    sealed_note: "Intyget har inte ändrats efter förseglingen. Förseglingen är inte den som högskolan använder nu.",
    withdrawn: "Intyget har återkallats",
    withdrawn_note: "Högskolan har återkallat intyget eller ersatt det med ett nytt.",
    invalid: "Intyget är inte giltigt",
    invalid_note: "En kontroll misslyckades. Intyget är inte att lita på.",
    checks: "Kontroller",
    check: "Kontroll",
    result: "Resultat",
    found: "Förklaring (på engelska)",
    take_along: "Ta med",
    download: "Ladda ner det förseglade intyget (JSON)",
    pdf: "Ladda ner sidan (PDF)",
    profile: "Lägg till i LinkedIn-profilen",
    qr: "QR-kod för den här sidans adress",
    qr_note: "Koden öppnar den här sidan i en telefon.",
    sealed_by: "Förseglat av",
    nowhere: "Länken gäller inte",
    nowhere_note: "Länken har gått ut, återkallats eller är felskriven. Be om en ny av den som gav dig den.",
    languages: "Språk",
    skip: "Gå till innehållet",
    steps: [
        "Struktur",
        "Underskrift",
        "Certifikat",
        "Förtroendekedja",
        "Spärrat certifikat",
        "Tidsstämplar",
        "Utfärdare",
        "Form",
        "Giltighetstid",
        "Återkallelse",
    ],
    statuses: ["i ordning", "inte kontrollerat", "fel"],
};

const ENGLISH: Words = Words {
    valid: "The credential is valid",
    valid_note: "The seal is the institution’s own, and the credential was not changed after it was sealed.",
    sealed: "The credential is unchanged",
    sealed_note: "The credential was not changed after it was sealed. The seal is not the one that the institution uses now.",
    withdrawn: "The credential was withdrawn",
    withdrawn_note: "The institution withdrew the credential, or issued another in its place.",
    invalid: "The credential is not valid",
    invalid_note: "A check failed. The credential cannot be trusted.",
    checks: "Checks",
    check: "Check",
    result: "Result",
    found: "What was found",
    take_along: "Take it along",
    download: "Download the sealed credential (JSON)",
    pdf: "Download the page (PDF)",
    profile: "Add to LinkedIn profile",
    qr: "QR code of this page’s address",
    qr_note: "The code opens this page on a phone.",
    sealed_by: "Sealed by",
    nowhere: "The link is not valid",
    nowhere_note: "The link has expired, was revoked or is misspelt. Ask whoever gave it to you for a new one.",
    languages: "Language",
    skip: "Skip to content",
    steps: [
        "Structure",
        "Signature",
        "Certificate",
        "Chain of trust",
        "Certificate status",
        "Time-stamps",
        "Issuer",
        "Form",
        "Validity",
        "Revocation",
    ],
    statuses: ["in order", "not checked", "error"],
};
