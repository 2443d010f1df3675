//! Setting the drive's key (security protocol 20h).

use reel_hw::EncryptionKey;
use reel_hw::scsi::SenseKey;
use reel_hw::scsi::encryption::{
    Algorithm, Capability, EncryptionCapabilities, EncryptionMode, EncryptionStatus, PROTOCOL,
    SetDataEncryption, SupportedPages,
};

use super::{Context, Drive, parameters};
use crate::answer::{Answer, Outcome, check, invalid_field, invalid_parameter};

/// AES-256 in GCM with a tag of 16 bytes.
const AES_256_GCM: u32 = 0x0001_0014;
const ALGORITHM_INDEX: u8 = 1;
const KEY_BYTES: u16 = 32;

const SUPPORTED_IN: u16 = 0x0000;
const SUPPORTED_OUT: u16 = 0x0001;
const CAPABILITIES: u16 = 0x0010;
const SET: u16 = 0x0010;
const STATUS: u16 = 0x0020;

/// CKOD, of the controls that come with a key.
const CLEAR_ON_DEMOUNT: u8 = 0x04;

/// How a drive encrypts.
#[derive(Debug, Default)]
pub(super) struct Encryption {
    key: Option<KeyInUse>,
    /// Counts how often the key was set or cleared.
    instance: u32,
}

#[derive(Debug)]
struct KeyInUse {
    key: EncryptionKey,
    mode: EncryptionMode,
    clears_on_demount: bool,
}

impl Encryption {
    /// The key, where all that is written is encrypted.
    pub(super) fn key(&self) -> Option<&EncryptionKey> {
        self.key.as_ref().map(|in_use| &in_use.key)
    }

    /// What it does.
    pub(super) fn mode(&self) -> EncryptionMode {
        self.key.as_ref().map_or(EncryptionMode::Off, |in_use| in_use.mode)
    }

    /// The medium goes. The key does so only where the host wanted that.
    pub(super) fn demount(&mut self) {
        if self.key.as_ref().is_some_and(|in_use| in_use.clears_on_demount) {
            self.set(None);
        }
    }

    /// The key is gone, as after a reset.
    pub(super) fn forget(&mut self) {
        if self.key.is_some() {
            self.set(None);
        }
    }

    fn set(&mut self, key: Option<KeyInUse>) {
        self.key = key;
        self.instance = self.instance.wrapping_add(1);
    }
}

impl Drive {
    pub(super) fn security_in(&mut self, protocol: u8, page: u16) -> Outcome {
        if protocol != PROTOCOL {
            return Err(invalid_field());
        }
        Ok(Answer::Data(match page {
            SUPPORTED_IN => {
                let codes = vec![SUPPORTED_IN, SUPPORTED_OUT, CAPABILITIES, STATUS];
                SupportedPages { codes }.encode(page)
            }
            SUPPORTED_OUT => SupportedPages { codes: vec![SET] }.encode(page),
            CAPABILITIES => capabilities().encode(),
            STATUS => {
                self.ready()?;
                self.encryption_status().encode()
            }
            _ => return Err(invalid_field()),
        }))
    }

    fn encryption_status(&self) -> EncryptionStatus {
        let (encryption, decryption) = self.encryption.mode().numbers();
        EncryptionStatus {
            host_scope: 2,
            key_scope: 2,
            encryption,
            decryption,
            algorithm: ALGORITHM_INDEX,
            key_instance: self.encryption.instance,
            controls: 0,
            data_format: 0,
            supplemental_keys: 0,
            associated: Vec::new(),
        }
    }

    pub(super) fn security_out(
        &mut self,
        context: &Context<'_, '_>,
        protocol: u8,
        page: u16,
        length: u32,
    ) -> Outcome {
        if (protocol, page) != (PROTOCOL, SET) {
            return Err(invalid_field());
        }
        self.ready()?;
        let set = SetDataEncryption::decode(parameters(context, length)?);
        let set = set.map_err(|_| invalid_parameter())?;
        let mode = EncryptionMode::from_numbers(set.encryption, set.decryption);
        let clears_on_demount = set.controls & CLEAR_ON_DEMOUNT != 0;
        self.encryption.set(match (mode, set.key) {
            // A key that comes along when encryption is switched off is of no use, and stenc sends one.
            (Ok(EncryptionMode::Off), _) => None,
            (Ok(mode @ (EncryptionMode::Mixed | EncryptionMode::On)), Some(key)) => {
                Some(KeyInUse { key, mode, clears_on_demount })
            }
            _ => return Err(check(SenseKey::IllegalRequest, 0x26, 0x11)),
        });
        self.hosts.tell(0x2A, 0x11, Some(context.initiator));
        Ok(Answer::Done)
    }
}

fn capabilities() -> EncryptionCapabilities {
    let algorithm = Algorithm {
        index: ALGORITHM_INDEX,
        flags: 0,
        decryption: Capability::Hardware,
        encryption: Capability::Hardware,
        key_data_flags: 0,
        unauthenticated_max: 32,
        authenticated_max: 12,
        key_bytes: KEY_BYTES,
        read_flags: 0,
        supplemental_keys_max: 0,
        code: AES_256_GCM,
    };
    EncryptionCapabilities { external_control: 0, configuration: 0, algorithms: vec![algorithm] }
}
