package lint

import (
	"encoding/json"
	"strings"

	"github.com/wasilibs/go-pgquery/parser"
	"google.golang.org/protobuf/encoding/protowire"
)

// node is a node of Postgres's parse tree: one of its fields is set, or none where it is of no
// interest. The names are Postgres's. (The Go types of pg_query_go would be the natural ones;
// their package compiles Postgres's parser a second time, in C, wherever there is a C compiler.)
type node struct {
	AlterTableStmt        *alterTable
	AlterTableCmd         *alterTableCmd
	ColumnDef             *columnDef
	Constraint            *constraint
	CreateStmt            *createTable
	CreateTableAsStmt     *createTableAs
	CreateFunctionStmt    *createFunction
	CreateTrigStmt        *createTrigger
	CreateSchemaStmt      *ifNotExists
	CreateSeqStmt         *ifNotExists
	CreateExtensionStmt   *ifNotExists
	ViewStmt              *createView
	IndexStmt             *createIndex
	RenameStmt            *rename
	AlterObjectSchemaStmt *alterSchema
	AlterEnumStmt         *alterEnum
	DropStmt              *drop
	DropdbStmt            *struct{}
	DropRoleStmt          *struct{}
	DropOwnedStmt         *struct{}
	TruncateStmt          *cascading
	UpdateStmt            *write
	DeleteStmt            *write
	MergeStmt             *write
	InsertStmt            *insert
	VacuumStmt            *vacuum
	ClusterStmt           *struct{}
	ReindexStmt           *reindex
	RefreshMatViewStmt    *refresh
	LockStmt              *struct{}
	VariableSetStmt       *setVariable
	TransactionStmt       *struct{}
	DoStmt                *struct{}
	SelectStmt            *selectStmt
	CommentStmt           *struct{}
	GrantStmt             *struct{}

	String   *text
	List     *list
	DefElem  *defElem
	RangeVar *relation
	TypeName *typeName

	ObjectWithArgs *objectWithArgs

	A_Const                         *json.RawMessage
	A_ArrayExpr                     *elements
	A_Expr                          *expression
	TypeCast                        *cast
	FuncCall                        *call
	SQLValueFunction, CollateClause *json.RawMessage
	CoalesceExpr                    *arguments
	MinMaxExpr                      *arguments
	BoolExpr                        *arguments
	NullTest                        *nullTest
}

type (
	text     struct{ Sval string }
	list     struct{ Items []node }
	relation struct {
		Schemaname, Relname string
		Location            int
	}
	ifNotExists struct {
		IfNotExists bool `json:"if_not_exists"`
	}
	cascading  struct{ Behavior string }
	alterTable struct {
		Relation relation
		Cmds     []node
		Objtype  string
	}
	alterTableCmd struct {
		Subtype, Name, Behavior string
		Def                     *node
		MissingOk               bool `json:"missing_ok"`
	}
	columnDef struct {
		Colname     string
		TypeName    typeName
		Constraints []node
		Location    int
	}
	typeName   struct{ Names []node }
	constraint struct {
		Contype        string
		Conname        string
		Indexname      string
		SkipValidation bool  `json:"skip_validation"`
		RawExpr        *node `json:"raw_expr"`
		Location       int
	}
	createTable struct {
		Relation relation
		ifNotExists
	}
	createTableAs struct {
		Into struct{ Rel relation }
		ifNotExists
	}
	createFunction struct {
		Replace  bool
		Funcname []node
		Options  []node
	}
	createTrigger struct {
		Replace  bool
		Trigname string
		Relation relation
		Funcname []node
	}
	createView struct {
		View    relation
		Replace bool
	}
	createIndex struct {
		Idxname            string
		Relation           relation
		Unique, Concurrent bool
		ifNotExists
	}
	rename struct {
		RenameType       string
		Relation         *relation
		Subname, Newname string
	}
	alterSchema struct{ ObjectType string }
	alterEnum   struct {
		OldVal, NewVal       string
		SkipIfNewValIsExists bool `json:"skip_if_new_val_exists"`
	}
	drop struct {
		Objects              []node
		RemoveType, Behavior string
		MissingOk            bool `json:"missing_ok"`
		Concurrent           bool
	}
	write  struct{ Relation relation }
	insert struct {
		Relation         relation
		OnConflictClause *json.RawMessage
	}
	vacuum      struct{ Options []node }
	reindex     struct{ Params []node }
	refresh     struct{ Concurrent bool }
	setVariable struct{ Name string }
	selectStmt  struct {
		TargetList []struct{ ResTarget struct{ Val node } }
		WithClause *json.RawMessage
	}
	defElem struct {
		Defname string
		Arg     *node
	}
	objectWithArgs struct{ Objname []node }
	elements       struct{ Elements []node }
	expression     struct{ Lexpr, Rexpr *node }
	cast           struct{ Arg *node }
	call           struct {
		Funcname []node
		Args     []node
	}
	arguments struct{ Args []node }
	nullTest  struct {
		Nulltesttype string
	}
)

// statement is one of those that a text holds, and where it begins.
type statement struct {
	Stmt     node
	Location int `json:"stmt_location"`
}

func parse(sql string) ([]statement, error) {
	tree, err := parser.ParseToJSON(sql)
	if err != nil {
		return nil, err
	}

	var result struct{ Stmts []statement }
	if err := json.Unmarshal([]byte(tree), &result); err != nil {
		return nil, err
	}

	return result.Stmts, nil
}

// token is a piece of SQL as Postgres's scanner cuts it.
type token struct {
	start, end int
	comment    bool
}

// Numbers of fields and tokens in libpg_query's ScanResult.
const (
	fieldTokens, fieldStart, fieldEnd, fieldToken = 2, 1, 2, 4
	sqlComment, cComment                          = 275, 276
)

func scan(sql string) ([]token, error) {
	data, err := parser.ScanToProtobuf(sql)
	if err != nil {
		return nil, err
	}

	var tokens []token

	err = fields(data, func(number protowire.Number, _ uint64, inner []byte) error {
		if number != fieldTokens {
			return nil
		}

		var t token

		err := fields(inner, func(number protowire.Number, value uint64, _ []byte) error {
			switch number {
			case fieldStart:
				t.start = int(value)
			case fieldEnd:
				t.end = int(value)
			case fieldToken:
				t.comment = value == sqlComment || value == cComment
			}

			return nil
		})

		tokens = append(tokens, t)

		return err
	})

	return tokens, err
}

// fields reads a message of numbers and of messages.
func fields(data []byte, each func(number protowire.Number, value uint64,
	inner []byte) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}

		data = data[n:]

		var (
			value uint64
			inner []byte
		)

		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(data)
		case protowire.BytesType:
			inner, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}

		if n < 0 {
			return protowire.ParseError(n)
		}

		data = data[n:]

		if err := each(number, value, inner); err != nil {
			return err
		}
	}

	return nil
}

// names are the parts of a qualified name.
func names(parts []node) []string {
	var all []string

	for _, p := range parts {
		if p.String != nil {
			all = append(all, p.String.Sval)
		}
	}

	return all
}

// last is a name without its schema, as far as a bundle tells objects apart.
func last(parts []node) string {
	all := names(parts)
	if len(all) == 0 {
		return ""
	}

	return strings.ToLower(all[len(all)-1])
}
