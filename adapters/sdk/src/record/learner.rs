//! The natural person.

use super::value::{Coded, Date, Extensions, Set};
use crate::canonical::hint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use smol_str::SmolStr;

/// The natural person, as one register knows her. Annex I M1 of EU Recommendation 2022/C 243/02.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Learner {
    /// Identifiers, changeable and possibly several. Schemes: `fi:hetu` (personal identity code), `fi:oppijanumero`
    /// (national learner number, an OID), `fi:henkilo-oid` (an OID of the person at Oppijanumerorekisteri that need not
    /// be the learner number), `esi` (European Student Identifier), `eppn`, or `<country>:<scheme>`.
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub identifiers: Set<Identifier>,
    /// Family name. ELM `familyName`; VIRTA `Sukunimi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// Given names. ELM `givenName`; VIRTA `Etunimet`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_names: Option<String>,
    /// Full name where the source gives only that. ELM `fullName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// Date of birth. ELM `dateOfBirth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<Date>,
    /// Gender code. VIRTA `Sukupuoli` (1 male, 2 female, 9 unknown).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<Coded>,
    /// Citizenships. VIRTA `Kansalaisuus` (ISO 3166-1 numeric).
    #[serde(skip_serializing_if = "Set::is_empty")]
    pub citizenships: Set<Coded>,
    /// First language. VIRTA `Aidinkieli`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_language: Option<Coded>,
    /// Municipality of residence. VIRTA `Asuinkunta`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub municipality: Option<Coded>,
    /// Day the learner was first registered at the institution. VIRTA `KirjoihintuloPvm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_on: Option<Date>,
    /// E-mail address. ELM `contactPoint.emailAddress`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// National parts.
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

/// One identifier of a learner. Compared in its scheme's own way ([`Identifier::normal`]).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Identifier {
    /// Which kind of identifier.
    pub scheme: SmolStr,
    /// Its value as sent.
    pub value: SmolStr,
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        /// The fields as JSON shows them.
        #[derive(Serialize)]
        struct Fields<'a> {
            scheme: &'a str,
            value: &'a str,
        }
        s.serialize_newtype_struct(hint::IDENTIFIER, &Fields { scheme: &self.scheme, value: &self.value })
    }
}

impl Learner {
    /// The scheme of the Finnish personal identity code (*henkilötunnus*).
    pub const HETU: &'static str = "fi:hetu";
    /// The scheme of the Finnish national learner number (*oppijanumero*).
    pub const LEARNER_NUMBER: &'static str = "fi:oppijanumero";
    /// The scheme of OIDs of people at the Finnish register of learners, Oppijanumerorekisteri. A person may have had
    /// several; only that of an identified person is her learner number.
    pub const PERSON_OID: &'static str = "fi:henkilo-oid";
    /// The scheme of the European Student Identifier.
    pub const ESI: &'static str = "esi";
    /// The scheme of eduPerson principal names.
    pub const EPPN: &'static str = "eppn";

    /// The first identifier of a scheme.
    pub fn identifier(&self, scheme: &str) -> Option<&SmolStr> {
        self.identifiers.iter().find(|i| i.scheme == scheme).map(|i| &i.value)
    }
}
