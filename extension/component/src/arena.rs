//! The allocator: blocks of powers of two from one region, which begins anew when nothing is allocated any more.
//!
//! The component keeps nothing between two calls, so everything is freed when a call has ended and its answer was read:
//! the next call finds the memory as the first one did, and no event pays for what another left behind. It takes the
//! same instructions too, so that the fuel of an event says nothing of those before it. Natively a profile shows 15 to
//! 20 % of an event's time in a general allocator.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// Bytes of the smallest block, and the alignment of all.
const SMALLEST: usize = 16;
/// Classes of blocks: 16 bytes, 32, and so on to all that can be addressed.
const CLASSES: usize = 28;
/// Least growth of the memory, in pages of 64 KiB.
const GROWTH_PAGES: usize = 16;
const PAGE_BYTES: usize = 64 << 10;

/// See the module.
pub struct Arena(UnsafeCell<Region>);

struct Region {
    /// Beginning of what was never given out; 0 before the first block.
    next: usize,
    /// End of the memory that this call has asked for. There may be more, if one before it asked for more.
    end: usize,
    /// Blocks that are in use.
    live: usize,
    /// Freed blocks by class, each with the address of the next in its first bytes.
    free: [*mut u8; CLASSES],
}

// SAFETY: a component has one thread.
unsafe impl Sync for Arena {}

unsafe extern "C" {
    /// Where the linker's data ends.
    static __heap_base: u8;
    /// Where the memory ends that is there from the beginning.
    static __heap_end: u8;
}

impl Arena {
    /// An arena that takes all memory behind the linker's data.
    pub const fn new() -> Self {
        Arena(UnsafeCell::new(Region { next: 0, end: 0, live: 0, free: [null_mut(); CLASSES] }))
    }
}

impl Region {
    /// A block from what was never given out; null where the memory ends.
    fn carve(&mut self, bytes: usize, align: usize) -> *mut u8 {
        if self.next == 0 {
            self.next = (&raw const __heap_base).addr().next_multiple_of(SMALLEST);
            self.end = (&raw const __heap_end).addr();
        }
        let at = self.next.next_multiple_of(align.max(SMALLEST));
        let Some(next) = at.checked_add(bytes) else { return null_mut() };
        if next > self.end {
            let pages = next.div_ceil(PAGE_BYTES).max(self.end / PAGE_BYTES + GROWTH_PAGES);
            let missing = pages.saturating_sub(core::arch::wasm32::memory_size(0));
            // To grow by nothing costs what growing costs.
            if core::arch::wasm32::memory_grow(0, missing) == usize::MAX {
                return null_mut();
            }
            self.end = pages.saturating_mul(PAGE_BYTES);
        }
        self.next = next;
        std::ptr::with_exposed_provenance_mut(at)
    }
}

/// Class of a layout's blocks.
fn class(layout: Layout) -> usize {
    let bytes = layout.size().max(SMALLEST).next_power_of_two();
    (bytes.trailing_zeros() - SMALLEST.trailing_zeros()) as usize
}

// SAFETY: a block has the size of its class, which is at least the layout's, and its alignment; it is given out again
// only after it was freed, or when no block is in use.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and nothing here allocates.
        let region = unsafe { &mut *self.0.get() };
        if layout.size() > isize::MAX as usize / 2 {
            return null_mut();
        }
        let class = class(layout);
        let block = region.free[class];
        let block = if block.is_null() || layout.align() > SMALLEST {
            region.carve(SMALLEST << class, layout.align())
        } else {
            // SAFETY: a freed block is at least a pointer long and aligned, and holds the next one's address.
            region.free[class] = unsafe { block.cast::<*mut u8>().read() };
            block
        };
        region.live += usize::from(!block.is_null());
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: one thread, and nothing here allocates.
        let region = unsafe { &mut *self.0.get() };
        region.live -= 1;
        if region.live == 0 {
            region.next = 0;
            region.free = [null_mut(); CLASSES];
            return;
        }
        let class = class(layout);
        // SAFETY: the block is ours again and at least a pointer long.
        unsafe { block.cast::<*mut u8>().write(region.free[class]) };
        region.free[class] = block;
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller says that `bytes` with this alignment is a layout.
        let wanted = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        if bytes <= isize::MAX as usize / 2 && class(wanted) == class(layout) {
            return block;
        }
        // SAFETY: as the caller says of `block` and `layout`; the new block is another one.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(block, moved, layout.size().min(bytes));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}
