package lint

import (
	"encoding/json"
	"strings"
)

// node is a node of Postgres's parse tree. One of its fields is set, or none if no rule needs the
// node. The names are Postgres's. (pg_query_go has Go types for the whole tree, but its package
// compiles Postgres's parser a second time, in C, wherever there is a C compiler.)
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

// names lists the parts of a qualified name.
func names(parts []node) []string {
	var all []string

	for _, p := range parts {
		if p.String != nil {
			all = append(all, p.String.Sval)
		}
	}

	return all
}

// last is the last part of a qualified name, in lower case: the rules ignore schemas.
func last(parts []node) string {
	all := names(parts)
	if len(all) == 0 {
		return ""
	}

	return strings.ToLower(all[len(all)-1])
}
