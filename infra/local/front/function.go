package front

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"sync"

	"github.com/grafana/sobek"
)

// Function runs the source of a CloudFront Function. It is safe for concurrent use: like
// CloudFront it has several runtimes, and the function must not rely on state in them.
type Function struct {
	source   string
	runtimes sync.Pool
}

// NewFunction loads the source. A mistake in it is an error here, not at the first request.
func NewFunction(source string) (*Function, error) {
	f := &Function{source: source}

	r, err := newRuntime(source)
	if err != nil {
		return nil, fmt.Errorf("load CloudFront function: %w", err)
	}

	f.runtimes.Put(r)

	return f, nil
}

// Result is the result of a function: a request to continue with, or a response.
type Result struct {
	Request  *Request
	Response *Response
	// Origins are the origins that the function selected: none, one, or a group of two. The second of
	// a group is requested if the first does not have the object.
	Origins []string
}

// Run calls the function with an event. read reads its key-value store.
func (f *Function) Run(event Event, read func(key string) (string, bool)) (Result, error) {
	r, _ := f.runtimes.Get().(*runtime)
	if r == nil {
		var err error
		if r, err = newRuntime(f.source); err != nil {
			return Result{}, err
		}
	}

	result, err := r.run(event, read)
	if err != nil {
		return Result{}, fmt.Errorf("run CloudFront function at %s: %w", event.Context.EventType, err)
	}

	f.runtimes.Put(r)

	return result, nil
}

type runtime struct {
	vm     *sobek.Runtime
	handle sobek.Callable
	// read and origins belong to the call under way.
	read    func(key string) (string, bool)
	origins []string
}

// modules are the modules that a function may import. newRuntime sets the functions that they use.
var modules = map[string]string{
	"cloudfront": `export default {
		kvs: () => ({ get: async (key, options) => {
			const value = __read(key);
			return options && options.format === 'json' ? JSON.parse(value) : value;
		} }),
		selectRequestOriginById: id => __select(id),
		createRequestOriginGroup: group => {
			if (group.failoverCriteria.statusCodes.join() !== '403') {
				throw new Error('expected failover at 403 and nothing else');
			}
			__select(...group.originIds.map(origin => origin.originId));
		},
	};`,
	"crypto": `export default { createHash: __createHash };`,
}

// exportHandler is appended to the source of a function, since its module does not export the
// handler.
const exportHandler = "\nglobalThis.__handle = async (event) => JSON.stringify(await " +
	"handler(event));\n"

func newRuntime(source string) (*runtime, error) {
	r := &runtime{vm: sobek.New()}

	globals := map[string]any{
		"__read": r.get, "__select": r.selectOrigin, "__createHash": r.createHash,
	}
	for name, value := range globals {
		if err := r.vm.Set(name, value); err != nil {
			return nil, err
		}
	}

	module, err := sobek.ParseModule("router.js", source+exportHandler, resolver())
	if err != nil {
		return nil, err
	}

	if err := module.Link(); err != nil {
		return nil, err
	}

	evaluated := module.Evaluate(r.vm)
	if evaluated.State() != sobek.PromiseStateFulfilled {
		return nil, fmt.Errorf("evaluate: %s", evaluated.Result())
	}

	handle, ok := sobek.AssertFunction(r.vm.Get("__handle"))
	if !ok {
		return nil, errors.New("found no function named handler")
	}

	r.handle = handle

	return r, nil
}

// resolver finds the modules of one runtime. For the same name it must return the same record.
func resolver() sobek.HostResolveImportedModuleFunc {
	records := map[string]sobek.ModuleRecord{}

	var resolve sobek.HostResolveImportedModuleFunc

	resolve = func(_ any, name string) (sobek.ModuleRecord, error) {
		if record, ok := records[name]; ok {
			return record, nil
		}

		source, ok := modules[name]
		if !ok {
			return nil, fmt.Errorf("no module %q in CloudFront's runtime", name)
		}

		record, err := sobek.ParseModule(name, source, resolve)
		if err == nil {
			records[name] = record
		}

		return record, err
	}

	return resolve
}

func (r *runtime) run(event Event, read func(string) (string, bool)) (Result, error) {
	r.read, r.origins = read, nil

	returned, err := r.handle(sobek.Undefined(), r.event(event))
	if err != nil {
		return Result{}, err
	}

	promise, ok := returned.Export().(*sobek.Promise)
	if !ok {
		return Result{}, fmt.Errorf("the handler returned %v, expected a promise", returned)
	}

	if promise.State() != sobek.PromiseStateFulfilled {
		return Result{}, fmt.Errorf("the handler failed: %v", promise.Result())
	}

	output := []byte(promise.Result().String())

	// The members of a response, then those of a request, then those of both.
	var either struct {
		StatusCode        *int
		StatusDescription string
		Method, URI       string
		QueryString       Values
		Headers           Values
		Cookies           Cookies
	}
	if err := json.Unmarshal(output, &either); err != nil {
		return Result{}, fmt.Errorf("the handler returned %s: %w", output, err)
	}

	result := Result{Origins: r.origins}
	if either.StatusCode != nil {
		result.Response = &Response{
			*either.StatusCode, either.StatusDescription, either.Headers, either.Cookies,
		}
	} else {
		result.Request = &Request{
			either.Method, either.URI, either.QueryString, either.Headers, either.Cookies,
		}
	}

	return result, nil
}

// get reads the key-value store. Like CloudFront it throws if the key is missing.
func (r *runtime) get(key string) string {
	value, ok := r.read(key)
	if !ok {
		panic(r.vm.NewGoError(fmt.Errorf("KeyNotFound: %s", key)))
	}

	return value
}

func (r *runtime) selectOrigin(ids ...string) { r.origins = ids }

// createHash is the part of require('crypto') that the router uses.
func (r *runtime) createHash(algorithm string) *sobek.Object {
	var hash hash.Hash

	switch algorithm {
	case "md5":
		hash = md5.New()
	case "sha256":
		hash = sha256.New()
	default:
		panic(r.vm.NewTypeError("this stand-in does not implement the hash %q", algorithm))
	}

	object := r.vm.NewObject()
	digest := func(encoding string) any {
		sum := hash.Sum(nil)
		if encoding == "hex" {
			return hex.EncodeToString(sum)
		}

		buffer := r.vm.NewObject()
		_ = buffer.Set("readUInt32BE", func(offset int) uint32 {
			return binary.BigEndian.Uint32(sum[offset:])
		})

		return buffer
	}

	_ = object.Set("digest", digest)
	_ = object.Set("update", func(data string) *sobek.Object {
		hash.Write([]byte(data))
		return object
	})

	return object
}
