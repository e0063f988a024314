//! A loser tree: the least of k sources in ceil(log2 k) comparisons a row.
//!
//! Knuth, The Art of Computer Programming 3, 5.4.1. A node holds the loser of the match played
//! there, with the number it lost by, so that a replay touches one node a level and no source.
//!
//! ```text
//!               winner
//!                 │
//!              [ loser ]              replay: the winner's source has a new row; it goes up from
//!              /       \              its leaf and changes places with whoever beats it
//!        [ loser ]   [ loser ]
//!         /    \      /    \
//!        s0    s1    s2    s3
//! ```
//!
//! Promises: ties are decided by the caller, and so the order is total and stable.
//! Never: a comparison between a source and itself.

/// A tree over sources numbered from 0, with a number each to compare first; `()` where nothing
/// but the caller tells them apart.
#[derive(Debug)]
pub(crate) struct LoserTree<P> {
    /// Node 0 is the winner; node n's children are 2n and 2n + 1; leaves follow the nodes.
    nodes: Vec<Node<P>>,
}

#[derive(Clone, Copy, Debug)]
struct Node<P> {
    prefix: P,
    source: u32,
}

impl<P: Copy + Ord> LoserTree<P> {
    /// What a tree over `sources` holds, in bytes.
    pub(crate) const fn cost_bytes(sources: usize) -> usize {
        sources * size_of::<Node<P>>()
    }

    /// Plays all matches. `before(a, b)` decides ties of two sources.
    pub(crate) fn build(prefixes: &[P], before: &impl Fn(u32, u32) -> bool) -> Self {
        let leaves = prefixes.len();
        assert!(leaves > 0, "a tree has a source");
        let leaf = |n: usize| Node {
            prefix: prefixes[n],
            source: u32::try_from(n).expect("sources are counted in 32 bits"),
        };
        let mut nodes = vec![leaf(0); leaves];
        // Winners of the subtrees, from the leaves up; the loser stays in the node.
        let mut winners = vec![leaf(0); 2 * leaves];
        for (n, winner) in winners[leaves..].iter_mut().enumerate() {
            *winner = leaf(n);
        }
        for n in (1..leaves).rev() {
            let (a, b) = (winners[2 * n], winners[2 * n + 1]);
            let (winner, loser) = if less(a, b, before) { (a, b) } else { (b, a) };
            winners[n] = winner;
            nodes[n] = loser;
        }
        nodes[0] = winners[1];
        Self { nodes }
    }

    /// The source with the least row.
    pub(crate) fn winner(&self) -> usize {
        self.nodes[0].source as usize
    }

    /// The winner's source has a new row that begins with `prefix`.
    #[inline]
    pub(crate) fn replay(&mut self, prefix: P, before: &impl Fn(u32, u32) -> bool) {
        let mut current = Node { prefix, source: self.nodes[0].source };
        let mut at = (self.nodes.len() + current.source as usize) / 2;
        while at > 0 {
            let node = &mut self.nodes[at];
            if less(*node, current, before) {
                std::mem::swap(node, &mut current);
            }
            at /= 2;
        }
        self.nodes[0] = current;
    }
}

#[inline]
fn less<P: Ord>(a: Node<P>, b: Node<P>, before: &impl Fn(u32, u32) -> bool) -> bool {
    a.prefix < b.prefix || (a.prefix == b.prefix && before(a.source, b.source))
}
