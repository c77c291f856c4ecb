//! SOAP faults: what they say, without the personal data they echo.

use super::xml::{Halt, Token, Xml};
use silta_adapter::problem::{Fixer, Problem, Severity};

/// A SOAP fault as VIRTA's reading service answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoapFault {
    /// The fault code without its prefix (`Client`, `Server`), or `unknown` if it is none that SOAP 1.1 has.
    pub code: &'static str,
    /// True if the request did not pass validation.
    pub validation: bool,
}

/// The code of the problem that a fault is reported as.
pub const SOAP_FAULT: &str = "soap_fault";

impl SoapFault {
    /// The fault that a problem reports, if it reports one.
    pub fn of(problem: &Problem) -> Option<Self> {
        if problem.code != SOAP_FAULT {
            return None;
        }
        let code = CODES.into_iter().find(|code| problem.path.as_deref() == Some(*code)).unwrap_or("unknown");
        Some(Self { code, validation: problem.message == VALIDATION })
    }

    fn problem(&self) -> Problem {
        let fixer = if self.code == "Client" { Fixer::Sender } else { Fixer::OtherSide };
        let message = if self.validation { VALIDATION } else { "the service answered with a fault" };
        Problem::new(SOAP_FAULT, Severity::Error, fixer, message).at(self.code)
    }
}

/// The fault codes of SOAP 1.1.
const CODES: [&str; 4] = ["Client", "Server", "VersionMismatch", "MustUnderstand"];
const VALIDATION: &str = "the service answered that the request is not valid";

/// Reads the fault whose start tag was just read; always ends reading.
pub(super) fn read(xml: &mut Xml<'_>) -> Halt {
    match fault(xml) {
        Ok(fault) => fault.problem().on_line(xml.line()).into(),
        Err(halt) => halt,
    }
}

fn fault(xml: &mut Xml<'_>) -> Result<SoapFault, Halt> {
    let mut fault = SoapFault { code: "unknown", validation: false };
    let inside = xml.depth();
    while xml.depth() >= inside {
        match xml.next()? {
            Token::Start => {
                xml.check_attributes()?;
                xml.text.clear();
                fault.validation |= xml.name() == b"ValidationError";
                if xml.name() == b"faultcode" {
                    while xml.next()? == Token::Text {}
                    let code = xml.text.trim();
                    let code = code.rsplit_once(':').map_or(code, |(_, code)| code);
                    fault.code = CODES.into_iter().find(|known| *known == code).unwrap_or("unknown");
                }
            }
            Token::Text | Token::End => {}
            Token::Eof => break,
        }
    }
    xml.text.clear();
    while xml.next()? != Token::Eof {
        xml.text.clear();
    }
    Ok(fault)
}
