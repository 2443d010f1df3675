//! What commands answer with: rows of listings and single objects, with exactly the keys that
//! PBS's tools print in JSON. The daemon makes them; `reelctl` and scripts read them.
//!
//! Times are seconds since 1970, sizes are bytes; absent values have no key, but where a field says
//! otherwise.

mod backup_job;
mod cert;
mod content;
mod device;
mod health;
mod job;
mod keys;
mod media;
mod media_verify;
mod remote;
mod rotation;
mod task;
mod user;

pub use backup_job::*;
pub use cert::*;
pub use content::*;
pub use device::*;
pub use health::*;
pub use job::*;
pub use keys::*;
pub use media::*;
pub use media_verify::*;
pub use remote::*;
pub use rotation::*;
pub use task::*;
pub use user::*;

/// A time in JSON: seconds since 1970.
mod epoch {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::BackupTime;

    pub(super) fn serialize<S: Serializer>(time: &BackupTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(time.epoch())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BackupTime, D::Error> {
        BackupTime::from_epoch(i64::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_pbs() {
        let text = r#"{"backup-time":1717682610,"label-text":"B00005L8","media-set-ctime":1795440925,"media-set-name":"set","media-set-uuid":"2aaa9fae-18ef-4c07-9766-8dda208f1dea","pool":"poolB","seq-nr":0,"snapshot":"ns/a/host/beta/2024-06-06T14:03:30Z","store":"store1","uuid":"0138c233-bda8-4583-9d99-aa574cbe20ae"}"#;
        let entry: MediaContentEntry = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), text);
    }

    #[test]
    fn unknown_media_have_a_null_uuid_but_other_absent_values_no_key() {
        let medium = InventoryEntry { label_text: "A00001L8".parse().unwrap(), uuid: None };
        let text = serde_json::to_string(&medium).unwrap();
        assert_eq!(text, r#"{"label-text":"A00001L8","uuid":null}"#);
        let pool: PoolEntry = serde_json::from_str(r#"{"name":"poolA"}"#).unwrap();
        assert_eq!(serde_json::to_string(&pool).unwrap(), r#"{"name":"poolA"}"#);
    }
}
