//! What the tests of the protocol share: small loads.

/// A load of these learners.
pub(crate) fn virta(learners: &[String]) -> String {
    format!("<Virta xmlns=\"urn:mace:funet.fi:virta/2015/09/01\">{}</Virta>", learners.concat())
}

/// A learner with a learner number and attainments.
pub(crate) fn learner(key: &str, number: &str, rows: &[String]) -> String {
    learner_with(key, &format!("<KansallinenOppijanumero>{number}</KansallinenOppijanumero>"), rows)
}

/// A learner with these personal data and attainments.
pub(crate) fn learner_with(key: &str, personal: &str, rows: &[String]) -> String {
    let list = match rows {
        [] => String::new(),
        _ => format!("<Opintosuoritukset>{}</Opintosuoritukset>", rows.concat()),
    };
    format!("<Opiskelija avain=\"{key}\">{personal}{list}</Opiskelija>")
}

/// A graded course, with more at its end.
pub(crate) fn attainment(key: &str, learner: &str, more: &str) -> String {
    format!(
        "<Opintosuoritus avain=\"{key}\" opiskelijaAvain=\"{learner}\" koulutusmoduulitunniste=\"C1\">\
         <SuoritusPvm>2025-05-14</SuoritusPvm><Laajuus><Opintopiste>5</Opintopiste></Laajuus>\
         <Arvosana><Viisiportainen>4</Viisiportainen></Arvosana><Myontaja>10122</Myontaja><Laji>2</Laji>{more}\
         </Opintosuoritus>"
    )
}
