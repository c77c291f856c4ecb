//! Whatever a credential says is drawn, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use silta_page::Language;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(credential) = serde_json::from_slice(bytes) {
        for language in Language::ALL {
            let _ = silta_page::pdf(&credential, language);
            let _ = silta_page::images(&credential, language);
        }
    }
});
