//! Setting the drive's key (security protocol 20h).

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
        let mode = if self.key.is_some() { EncryptionMode::Mixed } else { EncryptionMode::Off };
        let (encryption, decryption) = mode.numbers();
        EncryptionStatus {
            host_scope: 2,
            key_scope: 2,
            encryption,
            decryption,
            algorithm: ALGORITHM_INDEX,
            key_instance: self.key_instance,
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
        self.key = match (mode, set.key) {
            // A key that comes along when encryption is switched off is of no use, and stenc sends one.
            (Ok(EncryptionMode::Off), _) => None,
            (Ok(EncryptionMode::Mixed | EncryptionMode::On), Some(key)) => Some(key),
            _ => return Err(check(SenseKey::IllegalRequest, 0x26, 0x11)),
        };
        self.key_instance = self.key_instance.wrapping_add(1);
        self.attentions.raise(0x2A, 0x11, Some(context.initiator));
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
