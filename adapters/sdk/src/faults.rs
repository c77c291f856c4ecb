//! What a simulated peer is told to do wrong, by name.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Faults are not what they should be.
#[derive(Debug, thiserror::Error)]
#[error("faults: {0}")]
pub struct BadFaults(pub String);

/// The faults of a simulated peer: a flat object of settings, each with a value that does no harm.
pub trait Faults: Serialize + DeserializeOwned {
    /// Whether the values can be meant, beyond being of their kinds.
    ///
    /// # Errors
    /// If one cannot; why.
    fn check(&self) -> Result<(), BadFaults> {
        Ok(())
    }

    /// Reads `name=value`, as given on a command line, over these faults. The value is JSON, or text.
    ///
    /// # Errors
    /// If there is no fault of that name, or it cannot have the value; nothing is changed then.
    fn set(&mut self, setting: &str) -> Result<(), BadFaults> {
        let bad = || BadFaults(format!("{setting:?} is not of the form name=value"));
        let (name, value) = setting.split_once('=').ok_or_else(bad)?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        self.change(&Value::Object([(name.to_owned(), value)].into_iter().collect()))
    }

    /// Replaces the faults that a JSON object names.
    ///
    /// # Errors
    /// If it names one that there is not, or a value that one cannot have; nothing is changed then.
    fn change(&mut self, changes: &Value) -> Result<(), BadFaults> {
        let bad = |e: serde_json::Error| BadFaults(e.to_string());
        let mut whole = serde_json::to_value(&*self).map_err(bad)?;
        match (&mut whole, changes) {
            (Value::Object(whole), Value::Object(changes)) => whole.extend(changes.clone()),
            _ => return Err(BadFaults("an object is needed".into())),
        }
        let changed: Self = serde_json::from_value(whole).map_err(bad)?;
        changed.check()?;
        *self = changed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Some {
        share: f64,
        count: u32,
        how: String,
    }

    impl Faults for Some {
        fn check(&self) -> Result<(), BadFaults> {
            if self.share > 1.0 { Err(BadFaults("a share is between 0 and 1".into())) } else { Ok(()) }
        }
    }

    #[test]
    fn faults_are_set_by_name_and_what_cannot_be_changes_nothing() {
        let mut faults = Some::default();
        for setting in ["share=0.5", "count=3", "how=loud"] {
            faults.set(setting).expect(setting);
        }
        for wrong in ["share=2", "count=-1", "count=x", "count", "how=1", "colour=1"] {
            assert!(faults.set(wrong).is_err(), "{wrong}");
        }
        assert!(faults.change(&Value::Null).is_err());
        assert_eq!(faults, Some { share: 0.5, count: 3, how: "loud".into() });
    }
}
