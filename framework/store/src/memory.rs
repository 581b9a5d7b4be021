//! Memory that several processes have mapped, or, in tests and within one process, memory of the heap. Who borrows which bytes is
//! for `client.rs` to say.
#![expect(unsafe_code, reason = "mappings are made, read and given back by pointers")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};

/// What is made is a multiple of this, in bytes. Pages of the system may be larger.
const PAGE: usize = 4096;

/// What kind of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// Of this process alone.
    Heap,
    /// Of every process that has its descriptor.
    Shared,
}

/// What a process may do with memory that it maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Look at it.
    Read,
    /// Write to it, too.
    Write,
}

/// A piece of memory that begins as zeros and never changes its length.
#[derive(Debug)]
pub struct Memory {
    base: NonNull<u8>,
    len: usize,
    /// None: it is of the heap.
    file: Option<OwnedFd>,
}

// SAFETY: it is a pointer to memory that this value alone gives back. What is done with the bytes is for those to answer who ask for
// them; words are atomic.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// At least so many bytes, to which other processes have that access. `name` is what the system calls it (`/proc/PID/maps`).
    ///
    /// # Errors
    /// What the system says: it has no memory, or no descriptor left.
    pub fn new(region: Region, name: &str, bytes: usize, others: Access) -> io::Result<Arc<Self>> {
        let too_many = || io::Error::new(io::ErrorKind::OutOfMemory, format!("{bytes} bytes"));
        let len = bytes.max(1).checked_next_multiple_of(PAGE).ok_or_else(too_many)?;
        if region == Region::Heap {
            let layout = Layout::from_size_align(len, PAGE).map_err(|_| too_many())?;
            // SAFETY: the length is not 0.
            let base = NonNull::new(unsafe { alloc_zeroed(layout) });
            let base = base.unwrap_or_else(|| handle_alloc_error(layout));
            return Ok(Arc::new(Self { base, len, file: None }));
        }
        let file = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&file, len as u64)?;
        let own = Self::mapped(file.try_clone()?, len, Access::Write)?;
        // Nobody who has it can take pages away from under the others.
        let mut seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        if others == Access::Read {
            // After the own mapping, which may still be written to.
            seals |= SealFlags::FUTURE_WRITE;
        }
        rustix::fs::fcntl_add_seals(&file, seals)?;
        Ok(own)
    }

    /// The memory of another process, whose descriptor this is.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when it is not memory that keeps its length; what the system says otherwise.
    pub fn of(file: OwnedFd, access: Access) -> io::Result<Arc<Self>> {
        let is_fixed = rustix::fs::fcntl_get_seals(&file)?.contains(SealFlags::SHRINK);
        let len = usize::try_from(rustix::fs::fstat(&file)?.st_size).unwrap_or(0);
        if !is_fixed || len == 0 {
            let why = "the descriptor is not of shared memory that keeps its length";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Self::mapped(file, len, access)
    }

    fn mapped(file: OwnedFd, len: usize, access: Access) -> io::Result<Arc<Self>> {
        let may = match access {
            Access::Read => ProtFlags::READ,
            Access::Write => ProtFlags::READ | ProtFlags::WRITE,
        };
        // SAFETY: the system chooses a place where nothing is; the file has that length for ever.
        let base =
            unsafe { rustix::mm::mmap(ptr::null_mut(), len, may, MapFlags::SHARED, &file, 0)? };
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Arc::new(Self { base, len, file: Some(file) }))
    }

    /// Its length in bytes.
    #[must_use]
    pub fn bytes_len(&self) -> usize {
        self.len
    }

    /// What another process maps it by; none of memory of the heap.
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(AsFd::as_fd)
    }

    /// All of it as words. Memory that is used so is never used as bytes.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: it is aligned to a page, as long as this value, and began as zeros; nobody has other references to it, and what other
        // processes do is atomic, too. Where it was mapped for reading nothing is done but to look, relaxed (`Word::peek`).
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().cast(), self.len / 8) }
    }

    /// Where it begins in this process.
    pub(crate) fn address(&self) -> usize {
        self.base.as_ptr().addr()
    }

    /// Whether there are such bytes.
    pub(crate) fn has(&self, part: &Range<u64>) -> bool {
        part.start <= part.end && part.end <= self.len as u64
    }

    /// These bytes; there have to be such.
    ///
    /// # Safety
    /// Nobody writes to them, in any process, for as long as the result is there.
    pub(crate) unsafe fn bytes(&self, part: &Range<u64>) -> &[u8] {
        debug_assert!(self.has(part));
        // SAFETY: they are inside; the rest is for the caller.
        unsafe {
            let start = self.base.as_ptr().add(part.start as usize);
            std::slice::from_raw_parts(start, (part.end - part.start) as usize)
        }
    }

    /// These bytes, to be written; there have to be such.
    ///
    /// # Safety
    /// Nobody else reads or writes them, in any process, for as long as the result is there; and it was mapped for writing.
    #[expect(clippy::mut_from_ref, reason = "parts of an arena are borrowed one by one")]
    pub(crate) unsafe fn bytes_mut(&self, part: &Range<u64>) -> &mut [u8] {
        debug_assert!(self.has(part));
        // SAFETY: they are inside; the rest is for the caller.
        unsafe {
            let start = self.base.as_ptr().add(part.start as usize);
            std::slice::from_raw_parts_mut(start, (part.end - part.start) as usize)
        }
    }

    /// Has the system make the pages of a part, so that whoever writes there first does not wait for them. Changes no byte, and may be
    /// done while others write.
    ///
    /// # Errors
    /// What the system says: it has no memory left, or (before Linux 5.14) cannot do it.
    pub fn touch(&self, part: Range<u64>) -> io::Result<()> {
        let page = rustix::param::page_size();
        let start = (part.start as usize).min(self.len) / page * page;
        let end = (part.end as usize).min(self.len).next_multiple_of(page);
        if self.file.is_none() || start >= end {
            return Ok(());
        }
        // SAFETY: the pages are of this mapping, and stay what they are.
        unsafe {
            let at = self.base.as_ptr().add(start).cast();
            rustix::mm::madvise(at, end - start, Advice::LinuxPopulateWrite)?;
        }
        Ok(())
    }
}

impl Memory {
    /// Gives the pages of a part back to the system; whoever writes there next has new ones. Its bytes are zeros then: nobody may have need of
    /// them. What is no whole page stays.
    ///
    /// # Errors
    /// What the system says: it cannot do it.
    pub(crate) fn forget(&self, part: &Range<u64>) -> io::Result<()> {
        let page = rustix::param::page_size() as u64;
        let start = part.start.next_multiple_of(page);
        let end = part.end.min(self.len as u64) / page * page;
        let Some(file) = self.file.as_ref().filter(|_| start < end) else { return Ok(()) };
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(rustix::fs::fallocate(file, hole, start, end - start)?)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let base = self.base.as_ptr();
        if self.file.is_some() {
            // SAFETY: the mapping is whole, and nobody has a reference to it any more. It fails for no such mapping.
            _ = unsafe { rustix::mm::munmap(base.cast(), self.len) };
        } else if let Ok(layout) = Layout::from_size_align(self.len, PAGE) {
            // SAFETY: it was made with this layout.
            unsafe { dealloc(base, layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn two_mappings_of_one_memory_show_the_same() {
        let own = Memory::new(Region::Shared, "test", 1, Access::Read).unwrap();
        let there = own.descriptor().unwrap().try_clone_to_owned().unwrap();
        let there = Memory::of(there, Access::Read).unwrap();
        own.touch(0..own.bytes_len() as u64).unwrap();
        own.words()[3].store(7, Ordering::SeqCst);
        assert_eq!(there.words()[3].load(Ordering::Relaxed), 7);
        let again = there.descriptor().unwrap().try_clone_to_owned().unwrap();
        assert!(Memory::of(again, Access::Write).is_err(), "others may only look");
        assert_eq!((there.bytes_len(), there.has(&(0..PAGE as u64 + 1))), (PAGE, false));
    }

    #[test]
    fn what_is_forgotten_is_the_systems_again() {
        let page = rustix::param::page_size();
        let own = Memory::new(Region::Shared, "test", 8 * page, Access::Write).unwrap();
        let resident = || {
            let stat = rustix::fs::fstat(own.descriptor().unwrap()).unwrap();
            usize::try_from(stat.st_blocks).unwrap() * 512 / page
        };
        own.touch(0..8 * page as u64).unwrap();
        own.words()[0].store(7, Ordering::SeqCst);
        assert_eq!(resident(), 8);
        own.forget(&(1..5 * page as u64 + 1)).unwrap();
        assert_eq!((resident(), own.words()[0].load(Ordering::SeqCst)), (4, 7));
        own.forget(&(0..page as u64 - 1)).unwrap();
        assert_eq!(resident(), 4, "no whole page");
        let heap = Memory::new(Region::Heap, "test", page, Access::Write).unwrap();
        heap.forget(&(0..page as u64)).unwrap();
    }

    #[test]
    fn what_may_shrink_is_not_mapped() {
        let file = rustix::fs::memfd_create("test", MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::ftruncate(&file, 4096).unwrap();
        let refused = Memory::of(file, Access::Read).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        let own = Memory::new(Region::Shared, "test", 2 * PAGE, Access::Write).unwrap();
        assert!(rustix::fs::ftruncate(own.descriptor().unwrap(), 0).is_err());
    }
}
