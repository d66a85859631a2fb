# cython: language_level=3, nonecheck=True
"""Functions of users, called with the messages of a batch, and what comes of the batch then.

Python sees the messages that are meant, and no others. As long as a function passes, changes and drops messages, the batch goes on
as it is. With the first message that is put between others, another batch takes its place: records are copied, 64 bytes each, and
their bytes stay where they are. Nothing here knows of pipelines.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint16_t, uint32_t
from bgpipe._codec cimport Batch, Buffer
from bgpipe._message cimport MSG_DROPPED, MSG_EXTRA, MSG_LEFT, MSG_REPORTED, MSG_UNSEEN, STATUS_OK, msg_t, wanted_type
from bgpipe._view cimport Msg, own_octets, share_peers, view
from bgpipe._view import collect


@cython.final
cdef class Calls:
    """The messages of a batch that a function is called with, and what it makes of them.

    One by one: `next` and `settle` in turn, or `each`, which is the same without a wait. Or together: `chosen` and `replace`.
    """

    cdef readonly Batch batch               # as it came
    cdef readonly list turned               # messages that were returned and flow the other way
    cdef readonly list origins              # of each: how many messages had come in `batch` when it was returned
    cdef uint32_t counted, came             # of the messages below the first index, so many came and were put in by no stage
    cdef Batch after                        # what goes on in its place, or None: the same
    cdef Batch shared                       # the last one elsewhere whose messages were copied into `after`
    cdef uint32_t copied                    # messages of `batch` below this index are in `after`
    cdef uint32_t index, behind             # of the message under way, and where to look for the next one
    cdef uint32_t directions, types
    cdef bytes matches
    cdef object of                          # says of a message that is put in whether it may be; None: all may
    cdef msg_t before                       # the record under way, as it was; its bytes are kept where they are for it
    cdef bint holds                         # there is one, and Batch.held says so
    cdef Batch own                          # what chosen() made
    cdef Buffer places                      # uint32: where in `batch` the messages of `own` are

    def __cinit__(self, Batch batch not None, uint32_t directions=3, uint32_t types=0xFFFFFFFF, bytes matches=None, of=None):
        if matches is not None and PyBytes_GET_SIZE(matches) < batch.n:
            raise ValueError(f"matches of {len(matches)} messages, for a batch of {batch.n}")
        self.batch = batch
        self.turned = []
        self.origins = []
        self.directions = directions
        self.types = types
        self.matches = matches
        self.of = of

    cdef bint seek(self) noexcept:
        """To the next message that is meant."""
        cdef msg_t* m
        cdef const char* matches = NULL
        if self.matches is not None:
            matches = PyBytes_AS_STRING(self.matches)
        self.let_go()
        while self.behind < self.batch.n:
            self.index = self.behind
            self.behind += 1
            m = self.batch.msgs + self.index
            if (
                not m.flags & MSG_UNSEEN and (self.directions >> (m.flags & MSG_LEFT)) & 1 and wanted_type(self.types, m.type)
                and (matches == NULL or matches[self.index])
            ):
                self.before = m[0]
                self.batch.held += 1
                self.holds = True
                return True
        return False

    cdef void let_go(self) noexcept:
        """No record is under way: what edits have left behind may go."""
        if self.holds:
            self.holds = False
            self.batch.held -= 1
            if self.batch.tidy_at:
                self.batch.tidy()

    # ---- one by one -----------------------------------------------------------------------------------------------
    def each(self, function, failed):
        """Call it with each of them. `failed` gets what it raises, and says whether to go on, or raises it."""
        cdef Msg msg
        while self.seek():
            msg = view(self.batch, self.index)
            try:
                result = function(msg)
                if result is not msg:
                    self.put(result)
            except BaseException as error:
                self.restore()
                if not failed(error):
                    break

    def next(self):
        """The next one, or None."""
        return view(self.batch, self.index) if self.seek() else None

    def settle(self, result):
        """What a function returned for the message that next() gave. TypeError where it is nothing that can be put in its place."""
        self.put(result)

    cpdef restore(self):
        """The message under way is again what it was before the call."""
        if self.holds and self.index < self.batch.n:
            self.batch.msgs[self.index] = self.before

    def drop(self):
        """Drop the message under way."""
        if self.index < self.batch.n:
            self.batch.msgs[self.index].flags |= MSG_DROPPED

    cdef int put(self, result) except -1:
        cdef Msg msg
        cdef list given, here = []
        cdef bint own = False, others = False
        if self.index >= self.batch.n:      # cut off meanwhile
            return 0
        if result is True:
            return 0
        if result is None or result is False:
            self.batch.msgs[self.index].flags |= MSG_DROPPED
            return 0
        given = messages_of(result)
        for msg in given:
            if self.is_own(msg):
                others = others or own
                own = True
            elif self.of is not None and not self.of(msg):
                continue
            elif not (self.directions >> (msg.record().flags & MSG_LEFT)) & 1:
                self.turn(msg, self.index)
                continue
            else:
                others = True
            here.append(msg)
        if not own:
            self.batch.msgs[self.index].flags |= MSG_DROPPED
        if not others:
            return 0
        # Every message that came goes on, if only as one that was dropped.
        self.copy_to(self.index if own else self.index + 1)
        for msg in here:
            if self.is_own(msg) and self.copied == self.index:
                self.copy_to(self.index + 1)
            else:
                self.add(msg)
        return 0

    cdef int turn(self, Msg msg, uint32_t index) except -1:
        while self.counted <= index:
            self.came += not self.batch.msgs[self.counted].flags & MSG_EXTRA
            self.counted += 1
        self.turned.append(msg)
        self.origins.append(self.came)
        return 0

    cdef bint is_own(self, Msg msg) noexcept:
        return msg.batch is self.batch and msg.index == self.index

    cdef int copy_to(self, uint32_t stop) except -1:
        """Have the records below `stop` in `after`."""
        cdef uint32_t i
        if self.after is None:
            self.after = Batch()
            self.after.keep_batch(self.batch)
            if self.own is not None:
                self.after.keep_batch(self.own)
        for i in range(self.copied, min(stop, self.batch.n)):
            self.after.add_copy(self.batch.msgs + i)
        self.copied = max(self.copied, stop)
        return 0

    cdef int add(self, Msg msg) except -1:
        """Put a message here that was elsewhere, or nowhere."""
        cdef msg_t m = msg.record()[0]
        m.flags = (m.flags & <uint16_t>~MSG_UNSEEN) | MSG_EXTRA
        if m.seq == 0:
            m.seq = self.before.seq
        if msg.batch is not self.batch and msg.batch is not self.own:
            # A batch that kept that one would keep all that it keeps: functions that put in again what they have kept would let go of none.
            own_octets(self.after, &m)
            if self.shared is not msg.batch:
                share_peers(self.after, msg.batch)
                self.shared = msg.batch
        self.after.add_copy(&m)
        return 0

    # ---- together -------------------------------------------------------------------------------------------------
    def chosen(self):
        """A batch of them; what happens to it is seen here when replace() is called. None: there are none."""
        cdef uint32_t place, first = 0
        self.own = Batch()
        self.own.keep_batch(self.batch)
        self.places = Buffer()
        while self.seek():
            place = self.index
            if self.own.n == 0:
                first = place
            self.own.add_copy(&self.before)
            self.places.append(&place, sizeof(uint32_t))
        if self.own.n == 0:
            return None
        self.index = first                  # where a failure of the function is said to be
        self.before = self.batch.msgs[first]
        return self.own

    def replace(self, result):
        """What a function returned for the batch that chosen() gave. TypeError where it is nothing that can be put in its place."""
        cdef Msg msg
        cdef uint32_t k, place
        cdef const uint32_t* places = <const uint32_t*>self.places.data
        cdef uint32_t count = <uint32_t>(self.places.len // sizeof(uint32_t))
        cdef uint32_t done = 0              # of those chosen, how many are settled
        cdef list given = []
        if result is True or result is self.own:
            self.copy_to(0)
            for k in range(min(count, self.own.n)):
                self.pass_to(places, count, &done, places[k])
                self.after.add_copy(self.own.msgs + k)
                self.copied += 1
                done = k + 1
        elif result is not None and result is not False:
            given = messages_of(result)
            for msg in given:
                msg.record()
        if given:
            self.copy_to(0)
        for msg in given:
            if msg.batch is not self.own and self.of is not None and not self.of(msg):
                continue
            if not (self.directions >> (msg.record().flags & MSG_LEFT)) & 1:
                self.turn(msg, places[done - 1 if done else 0])
            elif msg.batch is self.own and msg.index >= done:
                place = places[msg.index]
                self.pass_to(places, count, &done, place)
                self.after.add_copy(msg.record())
                self.before = msg.record()[0]
                self.copied = place + 1
                done = msg.index + 1
            else:
                self.add(msg)
        self.pass_to(places, count, &done, self.batch.n)

    cdef int pass_to(self, const uint32_t* places, uint32_t count, uint32_t* done, uint32_t stop) except -1:
        """Of the messages below `stop`, those that the function had are dropped, the others stay."""
        while done[0] < count and places[done[0]] < stop:
            if places[done[0]] < self.batch.n:
                self.batch.msgs[places[done[0]]].flags |= MSG_DROPPED
            done[0] += 1
        if self.after is not None:
            self.copy_to(stop)
        return 0

    def drop_chosen(self):
        """Drop the messages that chosen() gave."""
        cdef uint32_t done = 0
        self.pass_to(<const uint32_t*>self.places.data, <uint32_t>(self.places.len // sizeof(uint32_t)), &done, self.batch.n)

    # ---- what comes of it -----------------------------------------------------------------------------------------
    def place(self):
        """(batch, index) of the message under way in the batch that goes on."""
        if self.after is None:
            return self.batch, self.index
        self.copy_to(self.index + 1)
        return self.after, self.after.n - 1

    def finish(self):
        """The batch that goes on in place of the one that came; None: the same does."""
        cdef msg_t* m
        self.let_go()
        if self.after is None:
            return None
        self.copy_to(self.batch.n)
        for m in self.after.msgs[:self.after.n]:
            self.after.failed += m.status > STATUS_OK and not m.flags & MSG_REPORTED
        return self.after


cdef list messages_of(result):
    """What a function returned, as a list of messages."""
    cdef list given
    if isinstance(result, Msg):
        given = [result]
    elif isinstance(result, (str, bytes, dict)) or not hasattr(result, "__iter__"):
        hint = "; declare it with async def" if hasattr(result, "__await__") else ""
        raise TypeError(f"it returned {of_type(result)}: expected the message, None to drop it, or several messages{hint}")
    else:
        given = list(result)
    for item in given:
        if not isinstance(item, Msg):
            raise TypeError(f"among what it returned is {of_type(item)}: expected messages")
        (<Msg>item).record()
    return given


cdef str of_type(value):
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"


def gather(messages):
    """A batch with copies of messages from here and there, without what kept them from being seen."""
    cdef Batch batch = collect(messages)
    cdef msg_t* m
    for m in batch.msgs[:batch.n]:
        m.flags &= <uint16_t>~MSG_UNSEEN
    return batch
