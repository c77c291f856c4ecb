//! Writing an answer: what was loaded, as it was loaded.

use super::index::{Index, LISTS, Learner, Row};
use super::question::{Fault, Question};
use super::store::Documents;
use crate::names::NAMESPACE;
use crate::soap::{ENVELOPE_NAMESPACE, SERVICE_NAMESPACE};
use quick_xml::escape::escape;
use silta_adapter::SmolStr;

/// `Laji` of a degree.
const DEGREE: &str = "1";

/// The envelope of the answer to a question.
pub(super) fn answer(documents: &Documents, question: &Question, empty_list: bool) -> String {
    let name = question.operation.name;
    let root = question.operation.answer;
    let mut content = String::new();
    for (tenant, held) in documents {
        let index = &held.index;
        let mut learners: Vec<&Learner> = Vec::new();
        for learner in question.identifiers.iter().flat_map(|i| index.find(question.kind, i)) {
            if !learners.iter().any(|l| std::ptr::eq(*l, learner)) {
                learners.push(learner);
            }
        }
        for learner in learners {
            write(&mut content, question, tenant, index, learner);
        }
    }
    let list = match content.is_empty() && !empty_list {
        true => String::new(),
        false => format!("<{root} xmlns=\"{NAMESPACE}\">{content}</{root}>"),
    };
    envelope(&format!("<l:{name}Response xmlns:l=\"{SERVICE_NAMESPACE}\">{list}</l:{name}Response>"))
}

/// Writes what one institution holds about one learner, as far as the operation tells it.
fn write(out: &mut String, question: &Question, tenant: &SmolStr, index: &Index, learner: &Learner) {
    let of_organisation = |row: &Row| question.organisation.as_ref().is_none_or(|o| row.grantor == *o);
    let sends = question.organisation.as_ref().is_none_or(|o| tenant == o) || learner.rows.iter().any(of_organisation);
    let text = |row: &Row| of_organisation(row).then(|| &index.text[row.text.clone()]);
    match question.operation.answer {
        _ if !sends => {}
        // As at the real service, who the person is comes with one operation only.
        "Virta" => index.write(out, learner, &learner.identifiers(), text),
        "Opiskelijat" => index.write(out, learner, index.head(learner), |_| None),
        list => {
            let wanted = learner.rows.iter().filter(|row| {
                LISTS[row.list].0.name() == list && (question.operation.name != "Tutkinnot" || row.category == DEGREE)
            });
            out.extend(wanted.filter_map(text));
        }
    }
}

/// The envelope of a fault.
pub(super) fn fault(fault: &Fault) -> String {
    let (words, detail) = match fault {
        Fault::Client(words) => (*words, String::new()),
        Fault::Validation(words) => {
            let error = "spring-ws:ValidationError";
            let namespace = "http://springframework.org/spring-ws";
            (
                "Validation error",
                format!("<{error} xmlns:spring-ws=\"{namespace}\">{}</{error}>", escape(words.as_str())),
            )
        }
    };
    envelope(&format!(
        "<SOAP-ENV:Fault><faultcode>SOAP-ENV:Client</faultcode><faultstring xml:lang=\"en\">{words}</faultstring>\
         <detail>{detail}</detail></SOAP-ENV:Fault>"
    ))
}

fn envelope(body: &str) -> String {
    format!(
        "<SOAP-ENV:Envelope xmlns:SOAP-ENV=\"{ENVELOPE_NAMESPACE}\"><SOAP-ENV:Header/>\
         <SOAP-ENV:Body>{body}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
    )
}
