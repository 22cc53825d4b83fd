"""What can go wrong between us and PostgreSQL, named."""

from pudim.vocabulary.errors import PudimError


class DatabaseError(PudimError):
    """The database refused."""

    code = "database"


class DatabaseClosedError(DatabaseError):
    """The database is not open in this process."""

    code = "database_closed"
    status = 503
    retry = True
    hint = "Call database.open(conninfo) in the running event loop first."


class DatabaseUnreachableError(DatabaseError):
    """PostgreSQL cannot be reached."""

    code = "database_unreachable"
    status = 503
    retry = True
    hint = "Check PUDIM_DATABASE_URL and that the server runs."


class DatabaseBusyError(DatabaseError):
    """All database connections are in use."""

    code = "database_busy"
    status = 503
    retry = True
    hint = "Try again; if it stays, raise the pool's size or find the slow query."


class ForeignTransactionError(DatabaseError):
    """This task was started inside another task's transaction and would use its connection."""

    code = "foreign_transaction"
    hint = (
        "Do not gather, create_task or wait_for inside a transaction: await one statement after the other "
        "(asyncio.timeout is fine), or start the task after the commit."
    )


class NestedSettingsError(DatabaseError):
    """A nested transaction is a savepoint and cannot have its own isolation level or access mode."""

    code = "nested_transaction_settings"


class TransactionRolledBackError(DatabaseError):
    """Nothing was committed: a statement had failed, and its error was swallowed inside the transaction."""

    code = "transaction_rolled_back"
    hint = "Wrap the statement that may fail in a nested transaction()."
