//! One medium of the inventory and its JSON.

use reel_types::{MediaId, MediaLocation, MediaStatus, PoolName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::label::{MediaLabels, MediaSetLabel};
use crate::{Error, Result};

const WHAT: &str = "media inventory";

/// The preview's name of `label_text`; a rewrite uses the new name alone.
const LABEL_TEXT_ALIAS: &str = "changer_id";

/// A medium, its labels and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct InventoryEntry {
    /// Copies of the labels on the medium, without protected keys.
    pub labels: MediaLabels,
    /// Where it is; unknown means offline.
    pub location: Option<MediaLocation>,
    /// The status somebody or something gave it; most media have none.
    pub status: Option<MediaStatus>,
    /// Native bytes that a drive counted on it.
    pub bytes_used: Option<u64>,
    /// The JSON it was read from, for the members that this version doesn't know.
    source: Value,
}

/// The members of an element, as this version knows them.
#[derive(Serialize, Deserialize)]
struct Element {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes_used: Option<u64>,
    id: MediaLabels,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<MediaLocation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<MediaStatus>,
}

impl InventoryEntry {
    /// A medium of which nothing but its labels is known.
    pub fn new(labels: MediaLabels) -> Self {
        Self {
            labels: without_key(labels),
            location: None,
            status: None,
            bytes_used: None,
            source: Value::Object(Map::new()),
        }
    }

    /// The medium's identity.
    pub fn uuid(&self) -> MediaId {
        self.labels.label.uuid
    }

    /// The pool it belongs to: the set label's, else the label's.
    pub fn pool(&self) -> Option<&PoolName> {
        self.labels.pool()
    }

    /// The set label if the medium is part of a set, not only reserved.
    pub fn assigned_set(&self) -> Option<&MediaSetLabel> {
        self.labels.assigned_set()
    }

    /// Whether the medium belongs to a pool and is in no set yet.
    pub fn is_assigned_empty(&self) -> bool {
        self.assigned_set().is_none() && self.pool().is_some()
    }

    /// Where it is; offline where nothing is known.
    pub fn location(&self) -> MediaLocation {
        self.location.clone().unwrap_or_default()
    }

    pub(super) fn replace_labels(&mut self, mut labels: MediaLabels, clear_status: bool) {
        if labels.media_set_label.is_none() {
            labels.media_set_label =
                self.labels.media_set_label.take().filter(|label| label.uuid.is_unassigned());
        }
        self.labels = without_key(labels);
        if clear_status {
            self.status = None;
        }
    }

    pub(super) fn from_value(source: Value) -> Result<Self> {
        let element: Element = from_value(source.clone())?;
        Ok(Self {
            labels: element.id,
            location: element.location,
            status: element.status,
            bytes_used: element.bytes_used,
            source,
        })
    }

    pub(super) fn to_value(&self) -> Result<Value> {
        let element = Element {
            bytes_used: self.bytes_used,
            id: self.labels.clone(),
            location: self.location.clone(),
            status: self.status,
        };
        let mut value = serde_json::to_value(element).map_err(json_error)?;
        carry_unknown(&self.source, &known_part(&self.source)?, &mut value);
        Ok(value)
    }
}

fn without_key(mut labels: MediaLabels) -> MediaLabels {
    labels.media_set_label = labels.media_set_label.map(|label| label.without_key_config());
    labels
}

/// What this version would write for `source` if nothing had changed.
fn known_part(source: &Value) -> Result<Value> {
    if source.as_object().is_none_or(Map::is_empty) {
        return Ok(Value::Null);
    }
    let element: Element = from_value(source.clone())?;
    serde_json::to_value(element).map_err(json_error)
}

/// Copies into `target` the members of `source` that aren't in `known`, at every depth where all
/// three still have the object.
fn carry_unknown(source: &Value, known: &Value, target: &mut Value) {
    let (Some(source), Some(target)) = (source.as_object(), target.as_object_mut()) else {
        return;
    };
    for (key, value) in source {
        match (known.get(key), target.get_mut(key)) {
            (Some(known), Some(target)) => carry_unknown(value, known, target),
            (None, None) if key != LABEL_TEXT_ALIAS => {
                target.insert(key.clone(), value.clone());
            }
            _ => {}
        }
    }
}

fn from_value(value: Value) -> Result<Element> {
    serde_json::from_value(value).map_err(json_error)
}

fn json_error(source: serde_json::Error) -> Error {
    Error::Json { what: WHAT.into(), source }
}
