//! What a credential says, in one language, as blocks.

use crate::words::{Language, Words};
use jiff::civil::Date;
use serde_json::Value;

/// How deep parts are shown.
const DEPTH: usize = 16;
/// More blocks than this are not shown.
const MOST_BLOCKS: usize = 2000;

/// What a page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The language it is in.
    pub language: Language,
    /// The credential's title.
    pub title: String,
    /// The credential's id.
    pub id: String,
    /// What it says, in order.
    pub blocks: Vec<Block>,
}

/// One thing that a page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Who awards, above the title.
    Overline(String),
    /// A title: the credential's own, or a claim's.
    Title(String),
    /// What follows a title in a sentence or two.
    Lead(String),
    /// What the following is.
    Heading(&'static str),
    /// A fact and its name.
    Fact(&'static str, String),
    /// One of several.
    Item(String),
    /// A line between what was achieved and the credential about it.
    Rule,
    /// A part of a whole: how deep it nests, its title and facts.
    Part(usize, String, String),
}

impl Content {
    /// What a credential says in a language; texts without it are in the nearest other one.
    pub fn of(credential: &Value, language: Language) -> Self {
        let mut reader = Reader { language, words: language.words(), blocks: Vec::new() };
        let title = reader.text(&credential["displayParameter"]["title"]);
        reader.credential(credential, title.as_deref());
        reader.blocks.truncate(MOST_BLOCKS);
        let id = credential["id"].as_str().unwrap_or_default().to_owned();
        Self { language, title: title.unwrap_or_default(), id, blocks: reader.blocks }
    }
}

/// A member's values: an array's elements, or the one value.
fn all(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(values) => values,
        one => std::slice::from_ref(one),
    }
}

fn first(value: &Value) -> &Value {
    all(value).first().unwrap_or(&Value::Null)
}

struct Reader {
    language: Language,
    words: &'static Words,
    blocks: Vec<Block>,
}

impl Reader {
    /// The text of a language map in the page's language, else in the nearest that is there.
    fn text(&self, map: &Value) -> Option<String> {
        let map = map.as_object()?;
        let order = [self.language.code(), "en", "fi", "sv"];
        let value = order.iter().find_map(|code| map.get(*code)).or_else(|| map.values().next())?;
        first(value).as_str().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The label of a concept, else the end of its name.
    fn label(&self, concept: &Value) -> Option<String> {
        let end = |id: &Value| id.as_str()?.rsplit(['/', ':']).next().map(str::to_owned);
        self.text(&concept["prefLabel"]).or_else(|| end(&concept["id"]))
    }

    fn labels(&self, concepts: &Value) -> Option<String> {
        joined(all(concepts).iter().filter_map(|concept| self.label(concept)))
    }

    fn day(&self, time: &Value) -> Option<String> {
        let day: Date = time.as_str()?.get(..10)?.parse().ok()?;
        Some(self.language.date(day))
    }

    fn fact(&mut self, name: &'static str, value: Option<String>) {
        if let Some(value) = value {
            self.blocks.push(Block::Fact(name, value));
        }
    }

    fn credential(&mut self, credential: &Value, title: Option<&str>) {
        let words = self.words;
        let claims = all(&credential["credentialSubject"]["hasClaim"]);
        let body = claims.first().and_then(|claim| self.awarding_bodies(claim));
        let issuer = self.text(&first(&credential["issuer"])["legalName"]);
        self.blocks.extend(body.or_else(|| issuer.clone()).map(Block::Overline));
        self.blocks.extend(title.map(|title| Block::Title(title.to_owned())));
        self.blocks.extend(self.text(&credential["displayParameter"]["description"]).map(Block::Lead));
        let person = &credential["credentialSubject"];
        let name = self.text(&person["fullName"]).or_else(|| {
            let names = [self.text(&person["givenName"]), self.text(&person["familyName"])];
            Some(names.into_iter().flatten().collect::<Vec<_>>().join(" ")).filter(|name| !name.is_empty())
        });
        self.fact(words.learner, name);
        // A birth date at another time than midnight was shifted, and its day is not certain.
        let born = Some(&person["dateOfBirth"]).filter(|time| time.as_str().is_some_and(|t| t.contains("T00:00:00")));
        self.fact(words.date_of_birth, born.and_then(|time| self.day(time)));
        for claim in claims {
            let own = self.text(&claim["title"]);
            if claims.len() > 1 || own.as_deref() != title {
                self.blocks.extend(own.map(Block::Title));
            }
            self.claim(claim);
        }
        self.blocks.push(Block::Rule);
        self.fact(words.valid_until, self.day(first(&credential["validUntil"])));
        self.fact(words.issued_on, self.day(&credential["issued"]));
        self.fact(words.sealed_by, issuer);
    }

    fn awarding_bodies(&self, claim: &Value) -> Option<String> {
        let bodies = all(&first(&claim["awardedBy"])["awardingBody"]);
        joined(bodies.iter().filter_map(|body| self.text(&body["legalName"]).or_else(|| self.text(&body["prefLabel"]))))
    }

    fn claim(&mut self, claim: &Value) {
        let words = self.words;
        self.blocks.extend(self.text(&claim["description"]).map(Block::Lead));
        let spec = first(&claim["specifiedBy"]);
        self.fact(words.awarded_by, self.awarding_bodies(claim));
        self.fact(words.awarded_on, self.day(&first(&claim["awardedBy"])["awardingDate"]));
        self.fact(words.completed_on, self.completed(claim));
        self.fact(words.time, joined(all(&claim["temporal"]).iter().filter_map(|period| self.period(period))));
        self.fact(words.credits, self.credits(claim));
        self.fact(words.workload, self.duration(claim).or_else(|| self.duration(spec)));
        self.fact(words.grade, self.grade(claim, true));
        self.fact(words.eqf_level, self.labels(&spec["eqfLevel"]));
        self.fact(words.nqf_level, self.labels(&spec["nqfLevel"]));
        self.fact(words.kind, self.labels(&spec["dcType"]));
        self.fact(words.field, self.labels(&spec["thematicArea"]));
        self.fact(words.mode, self.labels(&spec["mode"]));
        self.fact(words.setting, self.labels(&spec["learningSetting"]));
        self.fact(words.language, self.labels(&spec["language"]));
        let assessments = || all(&claim["provenBy"]).iter();
        let kinds = assessments().filter_map(|a| self.labels(&first(&a["specifiedBy"])["dcType"]));
        self.fact(words.assessment, joined(kinds));
        self.fact(words.supervision, joined(assessments().filter_map(|a| self.labels(&a["idVerification"]))));
        self.fact(words.entry_requirements, self.text(&first(&spec["entryRequirement"])["noteLiteral"]));
        let assured = all(&spec["accreditation"]).iter().filter_map(|accreditation| {
            let agent = self.text(&first(&accreditation["accreditingAgent"])["legalName"]);
            joined([self.text(&accreditation["title"]), agent].into_iter().flatten())
        });
        self.fact(words.quality_assurance, joined(assured));
        self.fact(words.further, self.text(&first(&claim["additionalNote"])["noteLiteral"]));
        self.outcomes(spec);
        if !all(&claim["hasPart"]).is_empty() {
            self.blocks.push(Block::Heading(words.parts));
            self.parts(claim, 0);
        }
    }

    fn outcomes(&mut self, spec: &Value) {
        let outcomes: Vec<String> =
            all(&spec["learningOutcome"]).iter().filter_map(|outcome| self.text(&outcome["title"])).collect();
        let summary = self.text(&first(&spec["learningOutcomeSummary"])["noteLiteral"]);
        if !outcomes.is_empty() || summary.is_some() {
            self.blocks.push(Block::Heading(self.words.outcomes));
            self.blocks.extend(summary.map(Block::Lead));
            self.blocks.extend(outcomes.into_iter().map(Block::Item));
        }
    }

    fn parts(&mut self, whole: &Value, depth: usize) {
        for part in all(&whole["hasPart"]) {
            let facts = [self.credits(part), self.grade(part, false), self.completed(part)];
            let facts = facts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
            self.blocks.push(Block::Part(depth, self.text(&part["title"]).unwrap_or_default(), facts));
            if depth < DEPTH {
                self.parts(part, depth + 1);
            }
        }
    }

    fn completed(&self, claim: &Value) -> Option<String> {
        all(&claim["influencedBy"]).iter().find_map(|activity| self.day(&first(&activity["temporal"])["endDate"]))
    }

    fn period(&self, period: &Value) -> Option<String> {
        match (self.day(&period["startDate"]), self.day(&period["endDate"])) {
            (None, None) => None,
            (start, end) => Some(format!("{} – {}", start.unwrap_or_default(), end.unwrap_or_default())),
        }
    }

    fn credits(&self, claim: &Value) -> Option<String> {
        let spec = all(&first(&claim["specifiedBy"])["creditPoint"]);
        let points = if spec.is_empty() { all(&claim["creditReceived"]) } else { spec };
        let one = |credits: &Value| {
            let point = &credits["point"];
            let point = point.as_str().map_or_else(|| point.to_string(), str::to_owned);
            let ects = credits["framework"]["id"].as_str().is_some_and(|id| id.ends_with("/6fcec5c5af"));
            let unit = if ects { Some(self.words.ects.to_owned()) } else { self.label(&credits["framework"]) };
            let point = if self.language == Language::English { point } else { point.replace('.', ",") };
            format!("{point} {}", unit.unwrap_or_default())
        };
        joined(points.iter().map(one))
    }

    /// A workload: hours where it says hours, else as it is written.
    fn duration(&self, of: &Value) -> Option<String> {
        let text = of["workload"].as_str().or_else(|| of["volumeOfLearning"].as_str())?;
        let hours = text.strip_prefix("PT").and_then(|rest| rest.strip_suffix('H'));
        Some(match hours.filter(|hours| hours.bytes().all(|b| b.is_ascii_digit())) {
            Some(hours) => format!("{hours} {}", self.words.hours),
            None => text.to_owned(),
        })
    }

    fn grade(&self, claim: &Value, with_scale: bool) -> Option<String> {
        let graded = |assessment: &Value| {
            let grade = self.text(&first(&assessment["grade"])["noteLiteral"])?;
            let scale = first(&first(&assessment["specifiedBy"])["gradingScheme"]);
            let scale = self.text(&scale["title"]).filter(|_| with_scale);
            Some(scale.map_or_else(|| grade.clone(), |scale| format!("{grade} ({scale})")))
        };
        joined(all(&claim["provenBy"]).iter().filter_map(graded))
    }
}

/// Several texts as one; `None` if there are none.
fn joined(texts: impl Iterator<Item = String>) -> Option<String> {
    let mut all: Vec<String> = Vec::new();
    texts.for_each(|text| {
        if !all.contains(&text) {
            all.push(text)
        }
    });
    (!all.is_empty()).then(|| all.join(", "))
}
