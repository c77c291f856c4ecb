//! VIRTA documents made up by a formula: learners with a study right, registrations and attainments.

use std::fmt::Write;

/// How a document is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Prefixed names, one element a line, indented: as a national store answers.
    Indented,
    /// No prefix, nothing between elements.
    Compact,
}

/// A `Virta` document of so many learners, and how many records it holds.
pub(crate) fn virta(layout: Layout, learners: usize) -> (String, usize) {
    let mut document = Document { out: String::new(), layout, depth: 0, records: 0, random: 2026 };
    let name = document.name("Virta");
    let colon = if layout == Layout::Indented { ":virta" } else { "" };
    let _ = write!(document.out, "<{name} xmlns{colon}=\"urn:mace:funet.fi:virta/2015/09/01\">");
    document.depth = 1;
    for number in 0..learners {
        document.learner(number);
    }
    document.close("Virta");
    (document.out, document.records)
}

const WORDS: [&str; 16] = [
    "perusteet",
    "menetelmät",
    "johdatus",
    "työpaja",
    "harjoittelu",
    "sovellukset",
    "seminaari",
    "projekti",
    "tilasto",
    "ohjelmointi",
    "viestintä",
    "ruotsi",
    "fysiikka",
    "kirjanpito",
    "tutkimus",
    "suunnittelu",
];

struct Document {
    out: String,
    layout: Layout,
    depth: usize,
    records: usize,
    random: u64,
}

impl Document {
    fn below(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % bound
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn name(&self, name: &str) -> String {
        if self.layout == Layout::Indented { format!("virta:{name}") } else { name.to_owned() }
    }

    fn line(&mut self) {
        if self.layout == Layout::Indented {
            let _ = write!(self.out, "\n{:1$}", "", self.depth * 2);
        }
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.line();
        let _ = write!(self.out, "<{}", self.name(name));
        for (name, value) in attributes {
            let _ = write!(self.out, " {name}=\"{value}\"");
        }
        self.out.push('>');
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.depth += 1;
    }

    fn close(&mut self, name: &str) {
        self.depth -= 1;
        self.line();
        let _ = write!(self.out, "</{}>", self.name(name));
    }

    fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], value: &str) {
        self.start(name, attributes);
        let _ = write!(self.out, "{value}</{}>", self.name(name));
    }

    fn values(&mut self, values: &[(&str, &str)]) {
        for (name, value) in values {
            self.leaf(name, &[], value);
        }
    }

    fn words(&mut self) -> String {
        let (a, b) = (self.below(WORDS.len()), self.below(WORDS.len()));
        format!("{} {} {}", WORDS[a], WORDS[b], self.below(900))
    }

    fn learner(&mut self, number: usize) {
        let (key, right) = (format!("{}", 100_000 + number), format!("{}", 5_000_000 + number));
        self.open("Opiskelija", &[("avain", &key)]);
        self.leaf("KansallinenOppijanumero", &[], &format!("1.2.246.562.24.9{number:010}"));
        self.open("Opiskeluoikeudet", &[]);
        self.study_right(&key, &right);
        self.close("Opiskeluoikeudet");
        self.open("LukukausiIlmoittautumiset", &[]);
        for year in 2020..2023 {
            self.enrolment(&key, &right, &format!("{year}-01-01"), &format!("{year}-07-31"));
            self.enrolment(&key, &right, &format!("{year}-08-01"), &format!("{year}-12-31"));
        }
        self.close("LukukausiIlmoittautumiset");
        self.open("Opintosuoritukset", &[]);
        for at in 0..20 + self.below(41) {
            self.attainment(&key, &right, number * 100 + at);
        }
        self.close("Opintosuoritukset");
        self.close("Opiskelija");
        self.records += 1;
    }

    fn study_right(&mut self, learner: &str, key: &str) {
        self.open("Opiskeluoikeus", &[("opiskelijaAvain", learner), ("avain", key)]);
        self.values(&[("AlkuPvm", "2020-01-01"), ("LoppuPvm", "2024-07-31")]);
        for year in 2020..2024 {
            self.open("Tila", &[]);
            self.values(&[("AlkuPvm", &format!("{year}-01-01")), ("LoppuPvm", &format!("{year}-12-31"))]);
            self.leaf("Koodi", &[], "1");
            self.close("Tila");
        }
        self.values(&[("Tyyppi", "1"), ("Myontaja", "10122")]);
        let code = format!("{} koulutusohjelma", self.words());
        self.open("Jakso", &[("koulutusmoduulitunniste", &code)]);
        let phase = [("AlkuPvm", "2020-01-01"), ("Koulutuskoodi", "651101"), ("Koulutuskunta", "398")];
        self.values(&phase);
        self.values(&[("Koulutuskieli", "fi"), ("Rahoituslahde", "1"), ("Luokittelu", "3")]);
        self.close("Jakso");
        self.leaf("Koulutusala", &[("versio", "ohjausala")], "8");
        self.open("Laajuus", &[]);
        self.leaf("Opintopiste", &[], "240");
        self.close("Laajuus");
        self.close("Opiskeluoikeus");
        self.records += 1;
    }

    fn enrolment(&mut self, learner: &str, right: &str, from: &str, to: &str) {
        let keys = [("opiskelijaAvain", learner), ("opiskeluoikeusAvain", right)];
        self.open("LukukausiIlmoittautuminen", &keys);
        self.values(&[("Myontaja", "10122"), ("Tila", "1"), ("IlmoittautumisPvm", from), ("AlkuPvm", from)]);
        self.leaf("LoppuPvm", &[], to);
        self.close("LukukausiIlmoittautuminen");
        self.records += 1;
    }

    fn attainment(&mut self, learner: &str, right: &str, number: usize) {
        let (key, code) = (number.to_string(), format!("{} {}", WORDS[number % 16], 3000 + self.below(90)));
        self.open(
            "Opintosuoritus",
            &[
                ("opiskeluoikeusAvain", right),
                ("opiskelijaAvain", learner),
                ("koulutusmoduulitunniste", &code),
                ("avain", &key),
            ],
        );
        let day = format!("{}-{:02}-{:02}", 2020 + self.below(4), 1 + self.below(12), 1 + self.below(28));
        self.leaf("SuoritusPvm", &[], &day);
        self.open("Laajuus", &[]);
        let credits = 1 + self.below(10);
        self.leaf("Opintopiste", &[], &credits.to_string());
        self.close("Laajuus");
        self.open("Arvosana", &[]);
        match self.below(6) {
            0 => self.leaf("Hyvaksytty", &[], "HYV"),
            grade => self.leaf("Viisiportainen", &[], &grade.to_string()),
        }
        self.close("Arvosana");
        self.values(&[("Myontaja", "10122"), ("Laji", "2")]);
        for language in ["fi", "en"] {
            let title = self.words();
            self.leaf("Nimi", &[("kieli", language)], &title);
        }
        self.leaf("Kieli", &[], "fi");
        self.open("Koulutusala", &[]);
        self.leaf("Koodi", &[("versio", "ohjausala")], "8");
        self.close("Koulutusala");
        if self.one_in(20) && !number.is_multiple_of(100) {
            let part = (number - 1).to_string();
            self.open("Sisaltyvyys", &[("sisaltyvaOpintosuoritusAvain", &part)]);
            self.leaf("Opintopiste", &[], "2");
            self.close("Sisaltyvyys");
        }
        self.leaf("Opinnaytetyo", &[], "0");
        self.close("Opintosuoritus");
        self.records += 1;
    }
}
