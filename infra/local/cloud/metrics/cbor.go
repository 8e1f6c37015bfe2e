package metrics

import (
	"fmt"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"lockstep/infra/local/cloud/wire"
)

var cborProtocol = protocol{
	contentType: "application/cbor",
	read: func(body []byte) (any, error) {
		if len(body) == 0 {
			return map[string]any{}, nil
		}

		value, err := cbor.Decode(body)
		if err != nil {
			return nil, err
		}

		return fromCBOR(value)
	},
	write: func(_ string, result any) []byte { return cbor.Encode(toCBOR(result)) },
	refuse: func(refusal *wire.Error) []byte {
		message := cbor.String(refusal.Message)

		return cbor.Encode(cbor.Map{
			"__type": cbor.String(shapeOf(refusal.Code)), "message": message, "Message": message,
		})
	},
}

func fromCBOR(value cbor.Value) (any, error) {
	switch value := value.(type) {
	case cbor.Map:
		members := make(map[string]any, len(value))
		for name, member := range value {
			one, err := fromCBOR(member)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}

			members[name] = one
		}

		return members, nil
	case cbor.List:
		list := make([]any, len(value))
		for i, element := range value {
			one, err := fromCBOR(element)
			if err != nil {
				return nil, err
			}

			list[i] = one
		}

		return list, nil
	case cbor.String:
		return string(value), nil
	case cbor.Bool:
		return bool(value), nil
	case cbor.Uint, cbor.NegInt:
		return cbor.AsInt64(value)
	case cbor.Float32, cbor.Float64:
		return cbor.AsFloat64(value)
	case *cbor.Tag:
		return cbor.AsTime(value)
	case *cbor.Nil, *cbor.Undefined:
		return nil, nil
	}

	return nil, fmt.Errorf("found a CBOR %T, which has no counterpart here", value)
}

func toCBOR(value any) cbor.Value {
	switch value := value.(type) {
	case map[string]any:
		members := make(cbor.Map, len(value))
		for name, member := range value {
			members[name] = toCBOR(member)
		}

		return members
	case []any:
		list := make(cbor.List, len(value))
		for i, element := range value {
			list[i] = toCBOR(element)
		}

		return list
	case string:
		return cbor.String(value)
	case bool:
		return cbor.Bool(value)
	case int64:
		if value < 0 {
			return cbor.NegInt(-value)
		}

		return cbor.Uint(value)
	case float64:
		return cbor.Float64(value)
	case time.Time:
		return &cbor.Tag{ID: 1, Value: cbor.Float64(epoch(value))}
	}

	return &cbor.Nil{}
}
