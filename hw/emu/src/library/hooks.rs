//! What tests and operators do to a library beside sending commands.

use super::{Device, EmulatedLibrary};
use crate::drive::{CleaningWish, Drive};
use crate::fault::{Fault, Flip, Garbage, Moment, Vanish};
use crate::time::clock::after;

impl EmulatedLibrary {
    /// Lets a command fail.
    pub fn plan_fault(&self, fault: Fault) {
        self.lock().faults.plan(fault);
    }

    /// Lets a command be answered with garbage. It is carried out all the same.
    pub fn plan_garbage(&self, moment: Moment, garbage: Garbage) {
        self.lock().faults.plan_garbage(moment, garbage);
    }

    /// Lets a device go away in the command with that number; see [`EmulatedLibrary::bring_back`].
    pub fn plan_vanish(&self, command: u64, vanish: Vanish) {
        self.lock().faults.plan_vanish(command, vanish);
    }

    /// Flips a bit of the next block on its way to or from a drive.
    pub fn plan_flip(&self, drive: usize, flip: Flip) {
        self.lock().faults.plan_flip(drive, flip);
    }

    /// Lets the next medium slip on its way: the move fails with 4/15/01, and the medium stays in the robot's hand. A
    /// library that is kept in a folder has not forgotten it when it is switched on again.
    pub fn plan_drop(&self) {
        self.lock().robot.drops_next = true;
    }

    /// Forgets all failures that were planned.
    pub fn clear_faults(&self) {
        let mut state = self.lock();
        state.faults.clear();
        state.robot.drops_next = false;
    }

    /// A device that went away is there again, as after power on.
    pub fn bring_back(&self, device: Device) {
        self.lock().faults.set_gone(device, false);
        self.reset(device);
    }

    /// Resets a device, as a bus reset would; everybody is told.
    pub fn reset(&self, device: Device) {
        match device {
            Device::Changer => self.lock().robot.hosts.reset(None),
            Device::Drive(number) => self.with_drive(number, |drive| drive.reset(None)),
        }
    }

    /// A drive forgets block protection (spec scsi.md §18) and nothing else; it says so by 6/29/00, or does not.
    pub fn forget_protection(&self, drive: usize, told: bool) {
        self.with_drive(drive, |drive| {
            (drive.modes.protect_writes, drive.modes.protect_reads) = (false, false);
            if told {
                drive.hosts.tell(0x29, 0x00, None);
            }
        });
    }

    /// A drive asks to be cleaned.
    pub fn want_cleaning(&self, drive: usize, wish: CleaningWish) {
        self.with_drive(drive, |drive| drive.want_cleaning(wish));
    }

    /// After how many bytes a drive asks to be cleaned.
    pub fn set_bytes_until_dirty(&self, drive: usize, bytes: u64) {
        self.with_drive(drive, |drive| drive.cleanliness.bytes_until_dirty = bytes);
    }

    /// Whether the tab of the cartridge in a drive protects it, as if it were turned by hand.
    pub fn set_write_protection(&self, drive: usize, protected: bool) {
        self.cartridge(drive, |cartridge| cartridge.facts.write_protected = protected);
    }

    /// Whether the bar code in a slot (storage slots first, from 0) cannot be made out.
    pub fn set_unreadable(&self, slot: usize, unreadable: bool) {
        if let Some(slot) = self.lock().elements.slots.get_mut(slot) {
            slot.unreadable = unreadable;
        }
    }

    /// Opens or closes the import/export door. Open, it stops the robot (2/3A/02); closing it is told by 6/28/01.
    /// `false` where a host has locked it.
    pub fn set_door(&self, open: bool) -> bool {
        self.lock().robot.set_door(open)
    }

    /// Pulls a magazine out or pushes it in. Out, it stops the robot (2/04/12); pushing it in is told by 6/28/00.
    pub fn set_magazine(&self, open: bool) {
        self.lock().robot.set_magazine(open);
    }

    /// Lets time pass until a drive does nothing any more.
    pub fn wait_until_idle(&self, drive: usize) {
        let busy = || self.lock().elements.bays.get(drive)?.drive.clockwork.busy();
        while let (Some(clock), Some(busy)) = (self.clock(), busy()) {
            clock.wait_until(after(busy.until_s));
        }
        self.with_drive(drive, Drive::settle);
    }

    fn with_drive(&self, drive: usize, change: impl FnOnce(&mut Drive)) {
        if let Some(bay) = self.lock().elements.bays.get_mut(drive) {
            change(&mut bay.drive);
        }
    }
}
