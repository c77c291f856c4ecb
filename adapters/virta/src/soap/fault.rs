//! Reading a SOAP fault.

use quick_xml::Reader;
use quick_xml::events::Event;

/// What sort of fault a document is, as a cause to judge; `None` if it is none. Its text, which echoes the identity
/// codes that were asked, is looked at and left where it is.
pub(super) fn cause(document: &[u8]) -> Option<&'static str> {
    let mut reader = Reader::from_reader(document);
    let (mut in_fault, mut in_code, mut code, mut validation) = (false, false, None, false);
    let mut buffer = Vec::new();
    loop {
        match reader.read_event_into(&mut buffer).ok()? {
            Event::Start(e) | Event::Empty(e) => {
                in_code = false;
                match e.local_name().as_ref() {
                    "Fault" => in_fault = true,
                    "faultcode" => in_code = in_fault,
                    "ValidationError" => validation |= in_fault,
                    _ => {}
                }
            }
            Event::Text(text) if in_code && code.is_none() => {
                let text = text.into_inner();
                code = Some(text.rsplit(':').next() == Some("Server"));
            }
            Event::DocType(_) => return None,
            Event::Eof => break,
            _ => {}
        }
        buffer.clear();
    }
    match (in_fault, validation, code) {
        (false, ..) => None,
        (true, true, _) => Some("fault:validation"),
        (true, false, Some(false)) => Some("fault:client"),
        (true, false, _) => Some("fault:server"),
    }
}

#[cfg(test)]
mod tests {
    use super::cause;

    #[test]
    fn faults_are_told_apart_and_other_documents_are_none() {
        let fault = |code: &str, detail: &str| {
            format!(
                "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><e:Fault><faultcode>{code}\
                 </faultcode><faultstring>words</faultstring><detail>{detail}</detail></e:Fault></e:Body></e:Envelope>"
            )
        };
        let validation = "<w:ValidationError xmlns:w='http://springframework.org/spring-ws'>words</w:ValidationError>";
        assert_eq!(cause(fault("e:Client", validation).as_bytes()), Some("fault:validation"));
        assert_eq!(cause(fault("e:Client", "").as_bytes()), Some("fault:client"));
        assert_eq!(cause(fault("e:Server", "").as_bytes()), Some("fault:server"));
        for other in ["", "internal error", "<html><body/></html>", "<Fault", "<!DOCTYPE x><Fault/>"] {
            assert_eq!(cause(other.as_bytes()), None, "{other}");
        }
    }
}
