package lint

import (
	"encoding/json"

	"github.com/wasilibs/go-pgquery/parser"
	"google.golang.org/protobuf/encoding/protowire"
)

// statement is a statement of a text, and its first byte in it.
type statement struct {
	Stmt     node
	Location int `json:"stmt_location"`
}

// parse parses a text of one or more statements. Its error is Postgres's.
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

// token is a token of Postgres's scanner: its first byte, and the byte after its last.
type token struct {
	start, end int
	comment    bool
}

// Numbers of the fields and tokens in libpg_query's ScanResult.
// https://github.com/pganalyze/libpg_query (protobuf/pg_query.proto)
const (
	fieldTokens, fieldStart, fieldEnd, fieldToken = 2, 1, 2, 4
	sqlComment, cComment                          = 275, 276
)

// scan cuts SQL into tokens, comments among them.
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

// fields calls each for every field of a protobuf message: with a number, or with the bytes of a
// message.
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
