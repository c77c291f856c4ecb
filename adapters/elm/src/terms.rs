//! Fixed IRIs of the format, and the schemes under which the gateway's own keys and codes travel as identifiers.

use silta_adapter::mapping::{CodeList, Institution, Mappings};
use silta_adapter::record::{Attainment, Coded};

/// The two contexts every credential has.
pub(crate) const CONTEXTS: [&str; 2] =
    ["https://www.w3.org/2018/credentials/v1", "http://data.europa.eu/snb/model/context/edc-ap"];
/// The two types every credential has.
pub(crate) const TYPES: [&str; 2] = ["VerifiableCredential", "EuropeanDigitalCredential"];
/// The shapes a credential conforms to.
pub(crate) const SCHEMA: &str = "http://data.europa.eu/snb/model/ap/edc-generic-full";
/// The generic profile.
pub(crate) const GENERIC: &str = "http://data.europa.eu/snb/credential/e34929035b";
/// The European Credit Transfer System.
pub(crate) const ECTS: &str = "http://data.europa.eu/snb/education-credit/6fcec5c5af";
/// "Short learning programme": what a micro-credential is.
pub(crate) const SHORT_PROGRAMME: &str = "http://data.europa.eu/snb/learning-opportunity/74a4a268e8";
/// The scheme of ESCO skills.
pub(crate) const ESCO_SKILLS: &str = "http://data.europa.eu/esco/concept-scheme/skills";
/// The language tag of text whose language nobody said (BCP 47 *undetermined*).
pub(crate) const UNDETERMINED: &str = "und";

/// The scheme of VIRTA organisation codes, by which institutions are known.
pub(crate) const ORGANISATION: &str = "virta:organisaatio";
/// The scheme of VIRTA *Opintosuorituslaji*.
pub(crate) const CATEGORY: &str = "virta:opintosuorituslaji";
/// Its value for a degree.
pub(crate) const DEGREE: &str = "1";
/// Its value for a partial attainment that is not counted.
pub(crate) const PARTIAL: &str = "3";

/// The scheme of an awarding body known by its name alone.
pub(crate) const LEGAL_NAME: &str = "elm:legalName";
/// The type of a specification with a level.
pub(crate) const QUALIFICATION: &str = "Qualification";

/// What every scheme of the gateway's own starts with.
pub(crate) const OWN: &str = "urn:silta:";
/// The key of a record; kind and institution follow.
pub(crate) const RECORD: &str = "urn:silta:record:";
/// The learner's local id.
pub(crate) const LEARNER: &str = "urn:silta:learner";
/// The study right an attainment belongs to.
pub(crate) const STUDY_RIGHT: &str = "urn:silta:study-right";
/// The institution's code of what was achieved.
pub(crate) const CODE: &str = "urn:silta:code";
/// A national code of what was achieved.
pub(crate) const NATIONAL_CODE: &str = "urn:silta:national-code";
/// Whether it is a thesis.
pub(crate) const THESIS: &str = "urn:silta:thesis";
/// A grade's value where it is shown by another text; and the scale it is on, whose scheme follows.
pub(crate) const GRADE: &str = "urn:silta:grade";
/// See [`GRADE`].
pub(crate) const SCALE: &str = "urn:silta:scale:";
/// Codes without a place in the format; their scheme follows.
pub(crate) const CATEGORY_CODE: &str = "urn:silta:category:";
/// See [`CATEGORY_CODE`].
pub(crate) const EDUCATION: &str = "urn:silta:education:";
/// See [`CATEGORY_CODE`].
pub(crate) const CYCLE: &str = "urn:silta:cycle:";
/// See [`CATEGORY_CODE`].
pub(crate) const MASTERY: &str = "urn:silta:mastery:";
/// See [`CATEGORY_CODE`].
pub(crate) const COMPETENCE: &str = "urn:silta:competence:";
/// See [`CATEGORY_CODE`].
pub(crate) const CLASSIFICATION: &str = "urn:silta:classification:";

/// The institution an awarding body is, if its facts are known.
pub(crate) fn institution<'m>(body: &Coded, mappings: &'m Mappings) -> Option<&'m Institution> {
    if body.scheme == ORGANISATION { mappings.institutions.get(&body.value) } else { None }
}

/// A code as a value of a list of the format.
pub(crate) enum Meaning {
    /// It is one already.
    Same,
    /// It means one.
    Becomes(Coded),
    /// The list has nothing that means the same.
    None,
}

/// What a code means in a list.
pub(crate) fn meaning(list: &CodeList, code: &Coded) -> Meaning {
    if code.scheme == list.scheme.as_str() && is_iri(&code.value) {
        return Meaning::Same;
    }
    match list.meaning(&code.scheme, &code.value) {
        Some(entry) => Meaning::Becomes(Coded::new(list.scheme.to_string(), entry.value.clone())),
        None => Meaning::None,
    }
}

/// A degree, or what says something that only qualifications can hold.
pub(crate) fn is_qualification(a: &Attainment) -> bool {
    a.category.as_ref().is_some_and(|c| c.scheme == CATEGORY && c.value == DEGREE)
        || a.eqf_level.is_some()
        || !a.nqf_levels.is_empty()
        || !a.quality_assurance.is_empty()
        || a.stackability.as_ref().is_some_and(|s| s.partial.is_some())
        || a.achievement_type.as_ref().is_some_and(|t| t.value == SHORT_PROGRAMME)
}

/// True for an absolute IRI that every reader takes.
pub(crate) fn is_iri(text: &str) -> bool {
    let rest = ["http://", "https://", "urn:"].iter().find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`[]".contains(&b))
    })
}

/// True for a code that is a concept of some scheme, both named by IRIs.
pub(crate) fn is_concept(code: &Coded) -> bool {
    is_iri(&code.scheme) && is_iri(&code.value)
}

/// True for a language tag of BCP 47's shape.
pub(crate) fn is_language(tag: &str) -> bool {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let mut parts = tag.split('-');
    parts.next().is_some_and(|first| part(first) && first.bytes().all(|b| b.is_ascii_alphabetic())) && parts.all(part)
}

/// True for an `xsd:duration` (`PT60H`, `P1Y2M3DT4H5.5S`); weeks are not.
pub(crate) fn is_duration(text: &str) -> bool {
    let units = |text: &str, units: &str, fraction: Option<char>| {
        let (mut at, mut digits, mut seen) = (0, String::new(), 0);
        for c in text.chars() {
            if c.is_ascii_digit() || (c == '.' && fraction.is_some() && !digits.is_empty() && !digits.contains('.')) {
                digits.push(c);
                continue;
            }
            let found = units[at..].find(c)?;
            let whole = !digits.contains('.') || Some(c) == fraction;
            if digits.is_empty() || digits.ends_with('.') || !whole {
                return None;
            }
            (at, seen) = (at + found + 1, seen + 1);
            digits.clear();
        }
        digits.is_empty().then_some(seen)
    };
    let Some(rest) = text.strip_prefix('-').unwrap_or(text).strip_prefix('P') else { return false };
    match rest.split_once('T') {
        None => units(rest, "YMD", None).is_some_and(|seen| seen > 0),
        Some((days, time)) => {
            units(days, "YMD", None).is_some() && units(time, "HMS", Some('S')).is_some_and(|seen| seen > 0)
        }
    }
}

/// True for an e-mail address that is also an IRI after `mailto:`.
pub(crate) fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(user, host)| {
        let plain =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_+".contains(&b));
        plain(user) && plain(host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_xml_schema() {
        for good in ["PT60H", "P1Y2M3DT4H5M6.5S", "P2D", "-PT1S"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["", "P", "PT", "P2W", "60 hours", "P1DT", "PT1M2H", "PT1.5H", "P1", "PT.5S"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }

    #[test]
    fn identifiers_and_tags_are_checked() {
        assert!(is_iri("http://data.europa.eu/snb/eqf/6") && !is_iri("6") && !is_iri("http://x y"));
        assert!(is_language("fi") && is_language("zh-Hant") && !is_language("f i") && !is_language("98"));
        assert!(is_email("a.b@example.org") && !is_email("a@b@c") && !is_email("a b@c"));
    }
}
