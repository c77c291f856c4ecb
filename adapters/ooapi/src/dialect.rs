//! What differs between the versions of the standard: names of members, addresses, and words.

/// A version of the standard.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Its number.
    pub(crate) version: &'static str,
    /// The namespace of its own JSON in the extensions of a record.
    pub(crate) namespace: &'static str,
    /// The same for ids and for what the standard demands although nobody said it. Not compared.
    pub(crate) document: &'static str,
    /// The scheme of its grade scales.
    pub(crate) scales: &'static str,
    pub(crate) course: Carrier,
    pub(crate) programme: Carrier,
    pub(crate) organisation: &'static str,
    pub(crate) organisation_id: &'static str,
    pub(crate) organisation_type: &'static str,
    pub(crate) email: &'static str,
    pub(crate) active: &'static str,
    pub(crate) cancelled: &'static str,
    pub(crate) offering_code: &'static str,
    pub(crate) student_number: &'static str,
    pub(crate) schac_home: &'static str,
    /// Where the day of a result stands.
    pub(crate) result_day: &'static str,
    /// True for version 5, whose consumers are a list, whose languages have three letters and whose scales are closed.
    pub(crate) old: bool,
}

/// What an association is with: the offering of a course, or of a programme.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Carrier {
    /// Its name here.
    pub(crate) name: &'static str,
    /// Where its associations are.
    pub(crate) path: &'static str,
    /// The member that holds the offering.
    pub(crate) offering: &'static str,
    /// The member that holds the offering's id.
    pub(crate) offering_id: &'static str,
    /// What version 5 calls it, and the association.
    pub(crate) types: (&'static str, &'static str),
}

pub(crate) static V5: Dialect = Dialect {
    version: "5",
    namespace: "ooapi5",
    document: "ooapi5.document",
    scales: "ooapi5:result-value-type",
    course: Carrier {
        name: "course",
        path: "associations",
        offering: "offering",
        offering_id: "offeringId",
        types: ("course", "courseOfferingAssociation"),
    },
    programme: Carrier {
        name: "programme",
        path: "associations",
        offering: "offering",
        offering_id: "offeringId",
        types: ("program", "programOfferingAssociation"),
    },
    organisation: "organization",
    organisation_id: "organizationId",
    organisation_type: "organizationType",
    email: "mail",
    active: "activeEnrollment",
    cancelled: "canceled",
    offering_code: "offeringCode",
    student_number: "studentNumber",
    schac_home: "schacHome",
    result_day: "resultDate",
    old: true,
};

pub(crate) static V6: Dialect = Dialect {
    version: "6",
    namespace: "ooapi6",
    document: "ooapi6.document",
    scales: "ooapi6:result-value-type",
    course: Carrier {
        name: "course",
        path: "course-offering-associations",
        offering: "courseOffering",
        offering_id: "courseOfferingId",
        types: ("course", "courseOfferingAssociation"),
    },
    programme: Carrier {
        name: "programme",
        path: "programme-offering-associations",
        offering: "programmeOffering",
        offering_id: "programmeOfferingId",
        types: ("programme", "programmeOfferingAssociation"),
    },
    organisation: "organisation",
    organisation_id: "organisationId",
    organisation_type: "organisationType",
    email: "email",
    active: "activeEnrolment",
    cancelled: "cancelled",
    offering_code: "offering_code",
    student_number: "student_number",
    schac_home: "schac_home",
    result_day: "resultDateTime",
    old: false,
};

/// The scheme that says what an association is with.
pub(crate) const CARRIER: &str = "ooapi:offering";

impl Dialect {
    /// The version an object is written in, by what only one of them has; the newer one where nothing tells.
    pub(crate) fn of(tree: &serde_json::Value) -> &'static Self {
        const OLD: [&str; 10] = [
            "/associationType",
            "/offering",
            "/person",
            "/consumers",
            "/issuer",
            "/mail",
            "/activeEnrollment",
            "/result/resultDate",
            "/result/weight",
            "/organization",
        ];
        const NEW: [&str; 10] = [
            "/courseOffering",
            "/courseOfferingId",
            "/programmeOffering",
            "/programmeOfferingId",
            "/personId",
            "/consumer",
            "/email",
            "/activeEnrolment",
            "/result/resultDateTime",
            "/result/final",
        ];
        let has = |names: &[&str]| names.iter().filter(|name| tree.pointer(name).is_some()).count();
        if has(&OLD) > has(&NEW) { &V5 } else { &V6 }
    }

    /// What an association is with.
    pub(crate) fn carrier_of(&self, tree: &serde_json::Value) -> &Carrier {
        let is = |carrier: &Carrier| match self.old {
            true => {
                let said = tree["associationType"].as_str().or(tree["offering"]["offeringType"].as_str());
                said.is_some_and(|said| said == carrier.types.0 || said == carrier.types.1)
            }
            false => tree.get(carrier.offering).is_some() || tree.get(carrier.offering_id).is_some(),
        };
        if is(&self.programme) { &self.programme } else { &self.course }
    }

    /// The carrier of a name.
    pub(crate) fn carrier(&self, name: &str) -> Option<&Carrier> {
        [&self.course, &self.programme].into_iter().find(|carrier| carrier.name == name)
    }
}
