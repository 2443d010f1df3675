//! Requests for media of one task.

use std::sync::Arc;

use reel_tape::media_requests::{MediaRequest, MediaRequests, RequestDevice};
use reel_types::{Clock, LabelText};

use super::{LoadRequest, Notifications, Recipient};
use crate::tasks::Tasks;

/// Tells of the media that one task asks for.
pub(crate) struct Requests {
    pub(crate) notifications: Arc<Notifications>,
    pub(crate) tasks: Tasks,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) to: Recipient,
    /// What asks, whichever of its runs it is: a daemon that was killed while it waited does not ask again for the same.
    pub(crate) asker: String,
}

impl Requests {
    fn request<'r>(
        &'r self,
        label_text: &'r LabelText,
        device: &'r RequestDevice,
        reason: &'r str,
    ) -> LoadRequest<'r> {
        LoadRequest {
            device_type: device.kind(),
            device: device.name(),
            label_text: label_text.as_str(),
            reason,
            asker: &self.asker,
        }
    }
}

impl MediaRequests for Requests {
    fn wanted(&self, request: &MediaRequest<'_>) {
        let load = self.request(request.label_text, request.device, request.reason);
        let host = self.notifications.host();
        self.notifications.tell(load.notice(host, &self.to, self.clock.now()));
    }

    fn settled(&self, label_text: &LabelText, device: &RequestDevice) {
        // A daemon that stops has not got the medium: who asks for it after the next start asks for the same.
        if !self.tasks.is_stopping() {
            self.notifications.settle(&self.request(label_text, device, "").thread());
        }
    }
}
