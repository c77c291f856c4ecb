//! Writing a request.

use super::{Caller, Criteria, ENVELOPE_NAMESPACE, Operation, SERVICE_NAMESPACE};
use quick_xml::Writer;
use quick_xml::events::BytesText;
use secrecy::ExposeSecret;
use std::io;

/// The envelope of a request.
pub(super) fn write(
    operation: &Operation,
    caller: &Caller,
    criteria: Criteria<'_>,
    organisation: Option<&str>,
) -> Vec<u8> {
    let mut out = Writer::new(Vec::new());
    // Writing into memory does not fail.
    let _ = envelope(&mut out, operation, caller, criteria, organisation);
    out.into_inner()
}

fn envelope(
    out: &mut Writer<Vec<u8>>,
    operation: &Operation,
    caller: &Caller,
    criteria: Criteria<'_>,
    organisation: Option<&str>,
) -> io::Result<()> {
    let envelope = out.create_element("s:Envelope").with_attribute(("xmlns:s", ENVELOPE_NAMESPACE));
    envelope.write_inner_content(|out| {
        out.create_element("s:Body").write_inner_content(|out| {
            let request = out.create_element(format!("{}Request", operation.name));
            request.with_attribute(("xmlns", SERVICE_NAMESPACE)).write_inner_content(|out| {
                out.create_element("Kutsuja").write_inner_content(|out| {
                    text(out, "jarjestelma", &caller.system)?;
                    text(out, "tunnus", &caller.user)?;
                    text(out, "avain", caller.password.expose_secret())
                })?;
                out.create_element("Hakuehdot").write_inner_content(|out| {
                    for identifier in criteria.identifiers {
                        text(out, criteria.kind.element(operation.list), identifier)?;
                    }
                    organisation.map_or(Ok(()), |code| text(out, "organisaatio", code))
                })?;
                Ok(())
            })?;
            Ok(())
        })?;
        Ok(())
    })?;
    Ok(())
}

fn text(out: &mut Writer<Vec<u8>>, name: &str, value: &str) -> io::Result<()> {
    out.create_element(name).write_text_content(BytesText::new(value)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::operation::{EVERYTHING, EVERYTHING_OF_MANY};
    use super::super::{Caller, IdentifierKind};
    use super::*;

    #[test]
    fn a_request_says_who_asks_about_whom_and_escapes_it() {
        let caller = Caller { system: "a<b".into(), user: "u&v".into(), password: "p\"w".into() };
        let criteria = Criteria { kind: IdentifierKind::LearnerNumber, identifiers: &["1.2".into(), "1.3".into()] };
        let request = String::from_utf8(write(&EVERYTHING_OF_MANY, &caller, criteria, Some("10122"))).expect("text");
        let expected = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
            <OpiskelijanKaikkiTiedotListaRequest xmlns=\"http://tietovaranto.csc.fi/luku\"><Kutsuja>\
            <jarjestelma>a&lt;b</jarjestelma><tunnus>u&amp;v</tunnus><avain>p&quot;w</avain></Kutsuja><Hakuehdot>\
            <kansallinenOppijanumeroLista>1.2</kansallinenOppijanumeroLista>\
            <kansallinenOppijanumeroLista>1.3</kansallinenOppijanumeroLista><organisaatio>10122</organisaatio>\
            </Hakuehdot></OpiskelijanKaikkiTiedotListaRequest></s:Body></s:Envelope>";
        assert_eq!(request, expected);
        let one = Criteria { kind: IdentifierKind::Hetu, identifiers: &["010190A900X".into()] };
        let request = String::from_utf8(write(&EVERYTHING, &caller, one, None)).expect("text");
        assert!(request.contains("<Hakuehdot><henkilotunnus>010190A900X</henkilotunnus></Hakuehdot>"), "{request}");
    }
}
