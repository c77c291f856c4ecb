//! What the tests of the protocol share: small loads, and a decoder just good enough to read them back.

use crate::sandbox::index::{Index, LISTS};
use silta_adapter::adapter::{Decode, DecodeContext, Decoded, Limits, Reading, Sink, Unreadable};
use silta_adapter::problem::Problem;
use silta_adapter::record::{Attainment, Body, Identifier, Learner, Record, RecordKey, RecordKind};
use std::io::BufRead;

/// Reads learners and attainments through the sandbox's own index.
pub(crate) struct TinyDecoder;

impl Decode for TinyDecoder {
    fn probe(&self, _: &mut dyn BufRead, _: &Limits) -> Result<(), Unreadable> {
        Ok(())
    }

    fn decode(&self, input: &mut dyn BufRead, ctx: &DecodeContext, sink: &mut Sink<'_>) -> Result<Reading, Unreadable> {
        let mut text = String::new();
        input.read_to_string(&mut text)?;
        if text.contains("Fault>") || !text.ends_with('>') {
            return Err(Problem::error("not_virta", "not a document").into());
        }
        let document = match (text.find("<Virta"), text.find("</Virta>")) {
            (Some(from), Some(to)) => text[from..to + "</Virta>".len()].to_owned(),
            _ => return Ok(Reading::default()),
        };
        let (index, _) = Index::read(document);
        for learner in &index.learners {
            let mut put = |kind, institution: &str, id: &str, body| {
                let (tenant, source) = (ctx.tenant.clone(), ctx.source.clone());
                let key = RecordKey { tenant, source, kind, institution: institution.into(), id: id.into() };
                sink(Decoded::Record(Box::new(Record::current(key, learner.key.clone(), body)), 1))
            };
            let identifiers = learner
                .identifiers()
                .map(|(kind, value)| Identifier { scheme: kind.scheme().into(), value: value.clone() });
            let person = Learner { identifiers: identifiers.collect(), ..Learner::default() };
            put(RecordKind::Learner, "", &learner.key, Body::Learner(Box::new(person)))
                .map_err(|_| Unreadable::Stopped)?;
            for row in &learner.rows {
                let body = Attainment { code: Some(index.text[row.text.clone()].into()), ..Attainment::default() };
                put(LISTS[row.list].2, &row.grantor, &row.key, Body::Attainment(Box::new(body)))
                    .map_err(|_| Unreadable::Stopped)?;
            }
        }
        Ok(Reading::default())
    }
}

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
