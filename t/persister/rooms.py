"""What the tests of waiting rooms share: rooms in Redis by the real scripts, and their rows."""

from core import CODES, LATER, Office, key, lane_of

FIELDS = ("capacity", "rate", "share", "pass_ttl", "state", "tickets", "max_lag", "opens_at", "draw", "seed",
          "draw_hash")
NAMES = {code: name for name, code in CODES.items()}


def pairs(words):
    return dict(zip(words[::2], words[1::2]))


class Rooms(Office):
    """An office with waiting rooms."""

    def room_keys(self, name):
        return [f"queue:room:{{{name}}}", f"queue:{{{name}}}", f"queue:pass:z:{{{name}}}"]

    def room(self, name, who="admin", create=1, **fields):
        """As PUT /admin/queues/NAME: the name of the code, and the definition."""
        self.redis("SADD", "queues", name)
        reply = self.call("queue_define", self.room_keys(name), name, who, create,
                          self.redis("GET", "catalogue") or self.redis.replid(),
                          *(fields.get(field, "") for field in FIELDS), "", "")
        return NAMES[reply[0]], pairs(reply[2:])

    def room_hash(self, name):
        return pairs(self.redis("HGETALL", self.room_keys(name)[0]))

    def enter(self, name, user, place=0, tickets="", join=1):
        reply = self.call("queue_enter", self.room_keys(name) + [key(t) for t in tickets.split()], name, tickets, user,
                          join, place, LATER, "")
        return [NAMES[reply[0]], *reply[2:]]

    def advance(self, name, tickets=""):
        """How many were admitted, and the lag in ms."""
        reply = self.call("queue_advance", self.room_keys(name) + [key(t) for t in tickets.split()], name, tickets, 0)
        if reply[0] != CODES["OK"]:
            raise RuntimeError(f"advance {name}: {reply}")
        return {"admitted": reply[11], "lag": reply[9], "waiting": reply[3], "live": reply[4], "rate": reply[8]}

    def book_with_pass(self, ticket, user, name, expires):
        """A guarded booking: the event, or what it was refused for."""
        lanes = self.tickets[ticket]
        reply = self.call("book", self._keys(ticket) + self.room_keys(name)[2::-2], ticket, lanes, 0, str(expires), 1,
                          user, lane_of(user, lanes), 1, LATER, 0)
        return reply[4] if reply[0] == CODES["OK"] else reply
