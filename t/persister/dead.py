"""What the tests of dead letters share: a MySQL that refuses, and what is in dead_letters."""

from core import key


def refuse(database, what="NEW.user_id LIKE 'poison%'", when="INSERT", state="23000"):
    """From now on MySQL says no for good."""
    rows = "OLD" if when == "DELETE" else "NEW"
    database(f"DELIMITER //\nCREATE TRIGGER refuse_{when.lower()} BEFORE {when} ON purchases FOR EACH ROW "
             f"IF {what.replace('NEW', rows)} THEN SIGNAL SQLSTATE '{state}' "
             "SET MESSAGE_TEXT = 'this one not: Gästeliste'; END IF//\n")


def accept(database, when="INSERT"):
    database(f"DROP TRIGGER refuse_{when.lower()}")


def letters(database, ticket=None):
    """user, booking_id and state of each, in order"""
    where = f" WHERE ticket_name = '{ticket}'" if ticket else ""
    return [tuple(row) for row in database(f"SELECT user_id, booking_id, state FROM dead_letters{where} ORDER BY id")]


def states(database, ticket=None):
    return [state for _, _, state in letters(database, ticket)]


def told(office, ticket):
    """user -> booking_id and reason, as Redis tells who asks"""
    pairs = office.redis("HGETALL", key(ticket, "rejected"))
    return dict(zip(pairs[::2], pairs[1::2]))
