//! The bounds of the system, each with the reason for its size. What reaches one gets a typed error, not growth.

mod http;
mod inspect;
mod logs;
mod state;
mod store;
mod top;

use std::time::Duration;

pub use http::*;
pub use inspect::*;
pub use logs::*;
pub use state::*;
pub use store::*;
pub use top::*;

/// Messages a system actor accepts before senders are refused. Far above any healthy queue (they drain in
/// microseconds), far below what would hurt: 64 Ki messages of at most 1 KiB are 64 MiB.
pub const SYSTEM_MAILBOX_MAX: usize = 65_536;

/// Calls a user actor accepts by default before callers get `Overloaded`. A caller 10 k calls ahead of an actor is
/// not served better by queueing more; Ray warns at half of it.
pub const ACTOR_MAILBOX_DEFAULT: usize = 10_000;

/// The most an actor may ask for as its mailbox bound: one GiB of one-KiB calls.
pub const ACTOR_MAILBOX_MAX: usize = 1 << 20;

/// `&self` handlers of one actor that may overlap. Ray's async actors default to 1,000; beyond 10 k the tasks of one
/// actor crowd out everybody else's.
pub const MAX_CONCURRENCY_MAX: usize = 10_000;

/// Actors alive in one runtime. An idle one costs about 13 KiB, so this is about 13 GiB: a leak, not a program.
pub const ACTORS_MAX: usize = 1_000_000;

/// Entries of a system actor's flight recorder; each is cut after [`INSPECT_CAUSE_CHARS_MAX`] characters.
pub const FLIGHT_RECORDER_SYSTEM: usize = 64;

/// Entries of a user actor's flight recorder: there may be a hundred thousand of them.
pub const FLIGHT_RECORDER_USER: usize = 8;

/// Causes a supervisor remembers of each child, newest last; their texts are cut after [`INSPECT_CAUSE_CHARS_MAX`] characters.
pub const LAST_CAUSES: usize = 8;

/// How long after a kill a shutdown waits before it goes on without the child: synchronous code cannot be killed.
pub const KILL_GRACE: Duration = Duration::from_secs(5);

/// Names are shown in columns and typed by hand.
pub const NAME_BYTES_MAX: usize = 128;

/// The largest amount of one resource: keeps every sum of thousandths far from overflow.
pub const RESOURCE_MAX: f64 = 1e12;

/// How long an ordered shutdown of a runtime may take before everything left is killed: twice the longest a single
/// actor may take by default.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(60);

/// How long a graceful stop of a user actor may take by default, its queued calls included. Ray's figure.
pub const ACTOR_STOP_WITHIN: Duration = Duration::from_secs(30);

/// How often the end of an actor is asked for again: the one who was asked may have died of something else. Far above
/// the microseconds it takes, far below what a person notices.
pub const END_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The longest wait before the end of an actor is asked for again: it doubles each time.
pub const END_AGAIN_MOST: Duration = Duration::from_secs(4);

/// How long a runtime may take to come up; it takes a fraction of a millisecond.
pub const START_WITHIN: Duration = Duration::from_secs(10);

/// Threads for user code of one runtime.
pub const USER_THREADS_MAX: usize = 1024;

/// How often a task is run again by default when its worker was lost. Ray's figure.
pub const TASK_RETRIES: u32 = 3;

/// Tasks of one runtime that wait or run. One that waits costs a few hundred bytes: a million is a few hundred MiB, and
/// more than a minute of the fastest machine's work.
pub const TASKS_MAX: usize = 1_000_000;

/// Items a stream may be ahead of its reader by default: enough to hide the reader's pauses.
pub const STREAM_WINDOW: usize = 64;

/// The most a stream may ask to be ahead.
pub const STREAM_WINDOW_MAX: usize = 1 << 20;

/// Threads for synchronous tasks of one runtime, those included that are blocked in a wait; and waits in synchronous code
/// of tasks and actors. As many as small operating
/// systems let one process have.
pub const COMPUTE_THREADS_MAX: usize = 512;

/// Methods marked `blocking` that run at once in one runtime, each on a thread; the others wait for their turn.
pub const BLOCKING_METHODS_MAX: usize = 512;

/// Synchronous methods, constructors and hooks of actors that are not marked and may hold their thread for long, at once in
/// one runtime; the others hold it in place.
pub const SLOW_METHODS_MAX: usize = 512;

/// Threads beside those for user code that asynchronous code may hand blocking work to: for methods marked `blocking`,
/// for those that may be slow and those that wait (each leaves its thread's work to another one), and 512, tokio's
/// figure, for what the program starts itself. With fewer the runtime could stand still.
pub const USER_BLOCKING_THREADS_MAX: usize =
    BLOCKING_METHODS_MAX + SLOW_METHODS_MAX + COMPUTE_THREADS_MAX + 512;

/// Tasks that a waiting thread runs on its own stack, one inside the other, before it parks instead: far below what
/// its stack of [`COMPUTE_STACK_BYTES`] holds.
pub const INLINE_DEPTH_MAX: usize = 32;

/// The stack of a compute thread. Reserved, not used: memory is taken as it is touched.
pub const COMPUTE_STACK_BYTES: usize = 8 << 20;

/// How long a compute thread beyond the node's CPUs waits for work before it ends.
pub const COMPUTE_THREAD_IDLE: Duration = Duration::from_secs(10);

/// Abandoned threads of one process: with more of them a node is replaced, and a program on its own is warned. Each holds a
/// thread, its stack and what its task has taken; a few are an accident, more are a habit.
pub const ABANDONED_THREADS_MAX: usize = 8;

/// How long code that nobody waits for any more may go on until its thread counts as abandoned: as long as one that was
/// killed has. Code that asks whether it was cancelled does so much sooner.
pub const ABANDONED_AFTER: Duration = KILL_GRACE;

/// Names of bodies that are told with their number: a line of text has room for no more.
pub const ABANDONED_NAMES_MAX: usize = 8;

/// The encoded size up to which a user's error travels whole; a larger one travels as text.
pub const ERROR_BYTES_MAX: usize = 64 << 10;

/// The head of an encoded value: what is written element by element. Above it such data takes seconds and belongs into
/// buffers, which have no bound of their own; a frame above it is refused unread.
pub const CODEC_HEAD_BYTES_MAX: usize = 1 << 30;

/// Buffers, and references, of one encoded value. A buffer costs an entry of a scatter list and 64 bytes of
/// alignment: a value with more of them wants fewer, larger ones.
pub const CODEC_PARTS_MAX: usize = 1 << 20;

/// Dimensions of an [`NdArray`](crate::NdArray): a batch of videos has five. The figure of cuDNN and TensorRT; few enough that a shape
/// lies within its array.
pub const NDARRAY_DIMS_MAX: usize = 8;

/// Elements of sequences in a frame that take no byte at all, like those of a `Vec<()>`: the only ones that a short
/// frame can announce in any number. A million take a millisecond.
pub const CODEC_EMPTY_ELEMENTS_MAX: usize = 1 << 20;

/// The stack that reading a nested value may take, in bytes: half of a thread's two MiB, which is hundreds of levels.
/// Only lists that are linked by hand have more.
pub const CODEC_DECODE_STACK_BYTES_MAX: usize = 1 << 20;

/// The stack that writing a nested value may take, in bytes. Reading a level takes up to seven times as much as
/// writing it, and what cannot be read should not be written.
pub const CODEC_ENCODE_STACK_BYTES_MAX: usize = 128 << 10;

/// Levels of an Arrow type, one within the other. Arrow's own functions call themselves for each, without a bound, and so
/// many fit into the stack that writing may take in any build; files of Parquet and tables of engines have a dozen.
pub const ARROW_LEVELS_MAX: usize = 32;

/// Rows of an Arrow array whose rows take no bytes (nulls alone, runs): the only ones that a short frame can announce in
/// any number. Looking whether such rows are null takes a bit for each, 256 MiB at most.
pub const ARROW_BARE_ROWS_MAX: usize = 1 << 31;

/// How long after its start a runtime opens its inspector's socket: the start's own work goes first, and one that lives
/// shorter is not worth a socket. Nobody types a command faster.
pub const INSPECT_OPEN_AFTER: Duration = Duration::from_millis(20);

/// Bytes of a path that a socket can have: `sun_path` less its closing zero, 108 on Linux, 104 elsewhere.
pub const SOCKET_PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Child processes that one process judges: nodes of a head, workers of a node. Their beats alone are 10 a second each;
/// Ray's largest published clusters have half as many nodes.
pub const MEMBERS_MAX: usize = 4096;

/// Ends of child processes that their judge remembers with cause, the newest of each name. About 200 bytes each; what
/// is forgotten is still refused, only without its story.
pub const MEMBER_ENDS_MAX: usize = 1024;

/// Beats and joins of a child process that may be under way unanswered. Those older than the lease are dropped anyway,
/// and a lease of more than a thousand beats is a mistake in the settings.
pub const BEATS_IN_FLIGHT_MAX: usize = 1024;

/// How much waiting for a CPU excuses the silence of a local child process, in all between two beats. A machine that
/// gives a process nothing for half a minute is not one to wait for.
pub const MEMBER_EXCUSED_MAX: Duration = Duration::from_secs(30);

/// Processes whose newest incarnation a receiver remembers: all that one head can have, and as many that have ended.
pub const PEERS_MAX: usize = 2 * MEMBERS_MAX;

/// Calls from one process to another one that are sent and not answered. At 100 us a round trip this is ten million
/// calls a second; it is also the bound of replies kept for one caller, and of calls that wait for an earlier one.
pub const CALLS_IN_FLIGHT_MAX: usize = 1024;

/// Calling processes that one receiver keeps replies for.
pub const CALLERS_MAX: usize = PEERS_MAX;

/// How long a receiver remembers that a caller has ended, when it needs the room: no message lives as long.
pub const CALLER_REMEMBERED: Duration = Duration::from_secs(600);

/// How often one call may be made again on a later life of its receiver.
pub const CALL_RETRIES_MAX: u32 = 1000;

/// Child processes of one process: a node's workers are one for each job and isolated body, and a machine has not many more
/// processes than these to give.
pub const CHILD_PROCESSES_MAX: usize = 4096;

/// The least memory that a process of one's own may be bounded to, in bytes: an empty one needs some of it.
pub const ISOLATED_MEMORY_MIN: u64 = 1 << 20;

/// Bytes of one message between two processes, the arguments or the result of a call: they lie in memory on both sides.
pub const MESSAGE_BYTES_MAX: u64 = 4 << 30;

/// Parts of such a message that are sent apart from it, each a large array or text.
pub const MESSAGE_BUFFERS_MAX: u32 = 1 << 16;

/// Bytes that may wait to go out over a link before it takes no new work; answers, and whatever ends something, go always.
/// Enough to keep the fastest network busy for milliseconds after who submits was told that there is room again, which is at
/// half of it; little beside what a process has. One message may be larger and goes when there is room.
pub const LINK_WAITING_BYTES_MAX: usize = 64 << 20;

/// How long a process of one's own may take until it can be given its task: it starts in milliseconds, and the machine may
/// be very busy.
pub const ISOLATED_UP_WITHIN: Duration = Duration::from_secs(30);

/// How long a process that has given its result may take to end.
pub const ISOLATED_END_WITHIN: Duration = Duration::from_secs(5);

/// How long a process that has closed its stream without an answer may take to end by itself.
pub const NO_ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// How often a process of one's own says that it is there, and is looked at.
pub const BEAT_EVERY: Duration = Duration::from_millis(100);

/// How long a child process may be silent, and stopped by the operating system, until it is given up.
pub const SILENT_MAX: Duration = Duration::from_millis(1500);

/// Nodes that a program starts on its own machine: each is a whole process with some threads.
pub const NODES_MAX: usize = 256;

/// Restarts of one node over the whole existence of the program that started it. With the longest back-off this is hours.
pub const NODE_RESTARTS_MAX: u32 = 1000;

/// How long a node may take to end in order.
pub const NODE_END_WITHIN: Duration = Duration::from_secs(5);

/// How long a node that is replaced may take to finish what runs there: as long as an actor that is stopped.
pub const NODE_DRAIN_WITHIN: Duration = ACTOR_STOP_WITHIN;

/// How long a node that has not ended in order may take after `SIGTERM`.
pub const NODE_TERMINATE_WITHIN: Duration = Duration::from_secs(1);

/// Jobs that a head has open, those included whose driver has left and whose workers still end. Each has a link to its
/// driver and a process on every node; beyond a thousand the processes are too many for any machine.
pub const JOBS_MAX: usize = 1024;

/// Single jobs that a head has open, those included that still end: one for each resident.
pub const SINGLE_JOBS_MAX: usize = RESIDENTS_MAX;

/// Single jobs that have their worker on one node, also if that holds nothing: with those of the other jobs half of the
/// processes that a node can have ([`CHILD_PROCESSES_MAX`]).
pub const NODE_SINGLES_MAX: usize = 1024;

/// Workers that a node may report to its head: one for each job that can have one there, and as many that are ending.
pub const NODE_WORKERS_MAX: usize = 2 * (JOBS_MAX + NODE_SINGLES_MAX);

/// Ends of workers that a node remembers until it has joined its head again: more than end by themselves within a lease.
pub const NODE_ENDS_KEPT_MAX: usize = 256;

/// Detached actors that a cluster has, those included that still end. Each has a process of its own, of some ten megabytes:
/// these are 100 GB of memory and more, on a hundred machines.
pub const RESIDENTS_MAX: usize = 10_000;

/// Handles of all drivers on detached actors, as far as the head knows of them: ten for each of the most there can be, or every
/// driver of a hundred has one on each of a thousand. At some hundred bytes each these are 10 MB.
pub const RESIDENT_FOLLOWERS_MAX: usize = 100_000;

/// Lives of one job's worker on one life of a node, however far apart. With the longest back-off this is more than an
/// hour; a worker that dies once in a while is started again for weeks.
pub const WORKER_LIVES_MAX: u32 = 1000;

/// How long a worker that was asked to end in order may take until its head has it killed: a little more than its actors
/// may ([`ACTOR_STOP_WITHIN`]).
pub const WORKER_END_WITHIN: Duration = Duration::from_secs(35);

/// Frames that are read from one child before the others are heard.
pub const FRAMES_AT_ONCE: usize = 64;

/// Bytes of a program that are read, and sent, at a time: large enough that a 30 MB program is 30 messages, small enough that
/// a hundred fetches at once take no memory worth speaking of.
pub const PROGRAM_CHUNK_BYTES: usize = 1 << 20;

/// How long one waits for another process that is changing the folder of programs: it takes milliseconds, or as long as a
/// large program takes to be hashed, and a process that was stopped in the middle must not stop everybody.
pub const PROGRAM_FOLDER_WITHIN: Duration = Duration::from_secs(30);

/// How long a program that was written waits for processes that were forked meanwhile to let go of its file. They do when
/// they execute their own program, which takes a millisecond; one that never does would keep it for ever.
pub const PROGRAM_WRITERS_WITHIN: Duration = Duration::from_secs(10);

/// Says what is wrong with a name of a task or an actor, if anything is.
///
/// # Errors
/// The rule, as a sentence.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains('/') {
        return Err(format!("a name has 1 to {NAME_BYTES_MAX} bytes and no slash"));
    }
    Ok(())
}

/// Handshakes that one door carries out at once; who comes then is closed and has to come again. A healthy one takes less
/// than a millisecond on one machine, so only a crowd gets here; each holds a thread and two file descriptors, of which
/// small operating systems give a process 1024.
pub const WIRE_HANDSHAKES_MAX: usize = 128;

/// How long a whole handshake may take by default, whoever is slow in it. It takes a millisecond or two and three round
/// trips; the rest is for a machine that is busy.
pub const WIRE_HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

/// Bytes of what a dialer may say of itself besides its name. They are read before it is known, so there are few.
pub const WIRE_DETAILS_BYTES_MAX: usize = 4096;

/// Bytes that a door still takes from one that it has refused, so that the refusal is not lost: more than a handshake has.
pub const WIRE_REFUSED_BYTES_MAX: usize = 64 << 10;

/// How long a door waits when the system gives it no connection or no thread (no file descriptors left, say).
pub const WIRE_ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// How long a link may give no sign of life, or take nothing that is sent, before the system cuts it. The beats find a dead
/// process much sooner; this is what ends the threads that wait for a machine that lost its power.
pub const WIRE_SILENT_MAX: Duration = Duration::from_secs(60);

/// Messages of one side of a connection that the other has not read. They are few and short; one that does not read is
/// stuck.
pub const WIRE_MESSAGES_WAITING_MAX: usize = 1024;

/// Plain bytes that are encrypted at once: four records, few enough that nobody waits long for the other direction.
pub const WIRE_ENCRYPTED_AT_ONCE_BYTES: usize = 64 << 10;

/// The first memory that is taken for a frame; it doubles as the frame arrives, whatever length was announced.
pub const WIRE_FRAME_FIRST_BYTES: usize = 64 << 10;

/// How often a head says to its drivers that it is still there.
pub const HEAD_BEAT_EVERY: Duration = Duration::from_secs(1);

/// Who asks a head how its cluster is, or wants it to end, at once; who comes then is closed and has to come again. Each has a
/// thread for a moment.
pub const HEAD_ANSWERS_MAX: usize = 64;

/// Programs that a head sends and takes at once; who comes then is told that it is busy, and comes again. As many are told so
/// at once.
pub const HEAD_TRANSFERS_MAX: usize = 32;

/// Bytes of one encoded message of a session between two daemons. What is larger belongs on a stream of its own: a session is
/// one line, and everybody behind such a message waits for it.
pub const SESSION_MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Bytes of a session's message above which it is noted in the log: it holds up others by a fraction of a millisecond.
pub const SESSION_MESSAGE_BYTES_LARGE: usize = 64 << 10;

/// Bytes of one frame of a session's protocol: the largest message, and room for what surrounds it.
pub const SESSION_FRAME_BYTES_MAX: usize = SESSION_MESSAGE_BYTES_MAX + (4 << 10);

/// Messages that one side of a session has said and the other one has not heard: everything between the two, in whatever
/// queue. A tenth of a second of what a session carries; who is further behind does not listen.
pub const SESSION_UNHEARD_MAX: usize = 8192;

/// The encoded bytes of those messages. As many lie in the memory of either process; with the most nodes that a head can
/// have, and all of them silent at once, this is 32 GiB.
pub const SESSION_UNHEARD_BYTES_MAX: usize = 8 << 20;

/// Sessions of one process: a head has one with each of its nodes. Each holds two threads and three file descriptors.
pub const SESSIONS_MAX: usize = MEMBERS_MAX;

/// How long it may take until a session is open, from the connection on. It takes milliseconds; a peer that is let in and
/// then says nothing must not be waited for longer.
pub const SESSION_OPEN_WITHIN: Duration = Duration::from_secs(10);

/// Bytes that a session moves at once in each direction: both directions of all sessions together take 256 MiB.
pub const SESSION_MOVED_AT_ONCE_BYTES: usize = 32 << 10;

/// The stack of a thread that moves the bytes of a session. Reserved, not used: memory is taken as it is touched.
pub const SESSION_STACK_BYTES: usize = 256 << 10;

/// How long a program waits for a cluster that was heard and gets on: the head takes its bytes, a node starts a worker.
pub const DRIVER_MOVES_WITHIN: Duration = Duration::from_secs(60);

/// How long a program without any worker, and without one to come, waits for one before everybody who waits is told.
pub const WORKERLESS_MAX: Duration = Duration::from_secs(30);

/// How long a transfer of a program may not move until it is cut: far above any hiccup of a network or a disk.
pub const TRANSFER_STALLS_MAX: Duration = Duration::from_secs(20);

/// How long a node waits before it asks its head again for a program that was not sent, and a driver before it brings its own
/// again.
pub const TRANSFER_AGAIN: Duration = Duration::from_millis(250);

/// How long a program may take to come to a node, those included who are served before. 30 MB take a second on a slow network.
pub const PROGRAM_FETCH_WITHIN: Duration = Duration::from_secs(300);

/// How long a driver asks a head again that has too many transfers under way: it serves thirty-two at once, a second or so each.
pub const PROGRAM_STORE_WITHIN: Duration = Duration::from_secs(120);

/// How long a driver that was let in may take to say what it wants; it does at once.
pub const DRIVER_OPENS_WITHIN: Duration = Duration::from_secs(10);

/// Drivers that are let in and have no job yet: a head has threads for each of them. Each driver is one for milliseconds, or
/// for as long as its program is stored.
pub const DRIVERS_NEW_MAX: usize = 128;

/// Messages of one driver that its head has not handled: one that says more waits. They are a few in a driver's life.
pub const DRIVER_INBOX_MAX: usize = 64;

/// How often one driver may be asked for its program: once, and again if it was evicted just then.
pub const DRIVER_LACKS_MAX: u32 = 2;

/// Bytes of how a job's workers are started, as its driver says it: arguments and names. Every node is told it with every
/// worker, in a message that must not hold up others.
pub const TEMPLATE_BYTES_MAX: usize = 64 << 10;

/// Bytes of the written arguments of a detached actor's constructor, on a cluster: its head keeps them for as long as it lives, and
/// its process is started with them. Values that are larger are given to it with a call.
pub const RESIDENT_ARGUMENT_BYTES_MAX: usize = 32 << 10;

/// How long a call waits for word on a detached actor whose link was lost while its head has it as living: longer than a head
/// takes to notice that a machine is gone.
pub const RESIDENT_FATE_WITHIN: Duration = Duration::from_secs(5);

/// Processes that call one detached actor at the same time: each is a connection and a thread. Enough for all drivers that there
/// can be ([`JOBS_MAX`]), which have one each.
pub const RESIDENT_CALLERS_MAX: usize = 1024;

/// How long a detached actor that has ended may take to tell its callers so.
pub const RESIDENT_LAST_WORD_WITHIN: Duration = Duration::from_secs(1);

/// Detached actors that a status names; it says how many there are. A status is one message.
pub const STATUS_DETACHED_MAX: usize = 1000;

/// How often a process that ends looks whether all that it has to say has gone out.
pub const LINK_LOOK_EVERY: Duration = Duration::from_millis(5);

/// Connections for beats that a head hears at once: one for each node, and one that is replaced.
pub const BEAT_CONNECTIONS_MAX: usize = 2 * MEMBERS_MAX;

/// How long one who asks a head waits for its answer: it takes milliseconds.
pub const HEAD_ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How often is looked whether something has happened that nobody tells of: a head listens, the last worker has ended.
pub const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How long a node that has never joined looks for its head.
pub const JOIN_WITHIN: Duration = Duration::from_secs(10);

/// How long a node waits before it dials a head again that could not be reached.
pub const DIAL_AGAIN: Duration = Duration::from_millis(100);

/// Calls that a worker's stand-in for an actor sends through its owner before it asks where the actor lives, to call it
/// directly: a handle that is used once or twice is not worth a question.
pub const DIRECT_AFTER_CALLS: u32 = 8;

/// The same when there was no direct way, again and again: the question costs a small part of so many calls.
pub const DIRECT_AGAIN_CALLS_MAX: u32 = 4096;

/// Links of one worker with other workers of its job, those it has dialed and those that were dialed by others. Each has two
/// threads and three file descriptors. Calls to workers beyond go through their owner.
pub const NEIGHBOURS_MAX: usize = 64;

/// Restarts of a worker's part of its cluster, over the whole existence of the worker. It has a budget of its own: without it
/// calls to other workers go through the driver, and nothing else is lost.
pub const DIALER_RESTARTS_MAX: u32 = 1000;
