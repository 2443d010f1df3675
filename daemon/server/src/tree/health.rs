//! `health` of a medium, a drive or a cleaning cartridge: what is kept of it, without asking a device.

use std::sync::Arc;

use reel_fs::{KeyValues, Node};
use serde::Serialize;
use serde_json::Value as Json;

use super::Tree;
use super::facts::{key_values, values_of};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// The two files of how something does.
pub(super) fn health<T: Serialize>(
    tree: &Arc<Tree>,
    of: impl Fn(&Reeld) -> Outcome<T> + Send + Sync + 'static,
) -> [(String, Node); 2] {
    let reeld = Arc::clone(&tree.reeld);
    key_values("health", move || facts(&of(&reeld)?))
}

/// Advice is sentences, which commas would not keep apart.
fn facts(entry: &impl Serialize) -> Outcome<KeyValues> {
    let object = serde_json::to_value(entry).map_err(|error| {
        Failure::new(nix::libc::EIO, format!("write the health as JSON: {error}"))
    })?;
    let Json::Object(mut object) = object else { return Ok(KeyValues::new()) };
    if let Some(Json::Array(sentences)) = object.get("advice") {
        let sentences: Vec<_> = sentences.iter().filter_map(Json::as_str).collect();
        let joined = sentences.join("; ");
        object.insert("advice".into(), joined.into());
    }
    Ok(values_of(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_one_line_of_sentences() {
        let entry = serde_json::json!({"advice": ["do this, soon", "and that"], "uses": 3});
        assert_eq!(facts(&entry).unwrap().to_text(), "advice: do this, soon; and that\nuses: 3\n");
        let good = serde_json::json!({"advice": [], "verdict": "good"});
        assert_eq!(facts(&good).unwrap().to_text(), "advice:\nverdict: good\n");
    }
}
